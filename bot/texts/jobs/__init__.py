"""What people read about their jobs: what each looks like in a list, the queue, their past clips."""
