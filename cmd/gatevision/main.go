// Command gatevision works on pictures: one camera's worker for the daemon, or one-shot on files for the tools.
//
// It is the only program with C++ under it and may die of a picture at any time; whoever starts it expects that. As a worker it
// speaks only on descriptor 3, as a one-shot it prints JSON lines on standard output. It holds no reference templates, compares
// nobody and decides nothing. Exit status: 0 done, 1 done but a picture gave no face, 2 could not do it, 3 ended itself because the
// camera or a network hung.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitDone   = 0
	exitNoFace = 1
	exitUnable = 2
	exitHung   = 3
)

const usageText = `usage: gatevision COMMAND [FLAGS] [FILE...]
  worker                 one camera's worker; started by gated, speaks on descriptor 3
  image --models DIR --manifest FILE FILE...
                         faces of each picture, with quality, liveness and embedding, a JSON line each
  embed-list --models DIR --manifest FILE [--root DIR] [--list FILE]
                         the face nearest the middle of each listed picture, embedded, a JSON line each
  raw --models DIR --manifest FILE [--threads N]
                         pixels from standard input, faces and the time of each stage, a JSON line each; for the benchmark
`

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usageText)
		return exitUnable
	}
	// A worker ends with its socket, not with a signal to its terminal; the one-shots end between two pictures.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch args[0] {
	case "worker":
		return runWorker(ctx)
	case "image":
		return runImage(ctx, args[1:], os.Stdout, os.Stderr)
	case "embed-list":
		return runEmbedList(ctx, args[1:], os.Stdin, os.Stdout, os.Stderr)
	case "raw":
		return runRaw(args[1:], os.Stdin, os.Stdout, os.Stderr)
	case "help", "-h", "--help":
		fmt.Fprint(os.Stdout, usageText)
		return exitDone
	default:
		fmt.Fprintf(os.Stderr, "gatevision: no command %q\n\n%s", args[0], usageText)
		return exitUnable
	}
}
