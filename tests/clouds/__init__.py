"""The simulated clouds: stand-ins for Hetzner, Tailscale, GitHub, Stripe, Resend and the provisioner."""
