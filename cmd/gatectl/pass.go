package main

func passCommands() []command { return nil }
