"""What a network has learned: as an observable, under interventions, in its bonds and modes."""
