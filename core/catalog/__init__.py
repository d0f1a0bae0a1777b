"""Where models come from: `base` says what a catalogue is."""
