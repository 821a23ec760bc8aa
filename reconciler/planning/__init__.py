"""What a plan is made of, and how both systems are observed."""
