"""Who is measured with convolutional layers: a step of one batch of images, the state carried along."""
