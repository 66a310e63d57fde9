"""What runs on each machine of a cluster: how Ray is started there, the actor of a card, its fence and its folders."""
