package main

func modelsCommands() []command { return nil }
