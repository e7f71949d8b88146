"""The demo: a few users' stories, sent as the real senders would, told as they unfold."""
