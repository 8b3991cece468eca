"""What EM maximises: models of latent coordinates, their priors, and the laws of what is missing."""
