package main

func sealCommands() []command { return nil }
