"""Local execution of plans: engine, records, logs and clean-up of trainings on this machine."""
