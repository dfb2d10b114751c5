package main

func stateCommands() []command { return nil }
