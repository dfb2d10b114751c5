package main

func faceCommands() []command { return nil }
