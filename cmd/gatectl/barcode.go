package main

func barcodeCommands() []command { return nil }
