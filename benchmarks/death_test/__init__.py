"""What the benchmark of deaths is made of: a server to strike, its clients, and a storm."""
