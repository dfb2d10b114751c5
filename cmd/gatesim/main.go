// Command gatesim plays a gate's hardware and its travellers for the real
// programs.
//
// It starts hqd and gated as processes, is their input and output board on a
// pseudo-terminal and their two cameras over HTTP, and walks travellers
// through. Nothing it shows is a measure of accuracy: a filmed face is a
// re-capture of a photograph. Everything it makes is marked as simulated.
//
// Exit status: 0 every traveller ended as expected and every record is at
// headquarters once, 1 not so, 2 could not do it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"bordergate/cmd/gatesim/bare"
)

// Exit statuses; scripts rely on them.
const (
	exitDone     = 0
	exitNegative = 1
	exitUnable   = 2
)

const usageText = `usage: gatesim COMMAND [FLAGS]
  run     travellers walk through a gate: the demonstration
  pad     prints and screens are held before the face camera: error rates
  crash   the gate's daemon and its workers are killed while travellers walk;
          with --kills and --hangs its workers alone, and how soon the lane is back
  frames  one face worker sees travellers without end, and its memory is weighed
  soak    sync: a gate and headquarters are killed while records and decisions
          cross a bad line; then both are held against what was promised
  fleet   many gates without devices, in one process, for one headquarters
  drain   a journal full of days goes to headquarters over a slow line
`

func main() { os.Exit(dispatch(os.Args[1:])) }

func dispatch(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usageText)
		return exitUnable
	}
	var good bool
	var err error
	switch args[0] {
	case "run":
		good, err = runCommand(ctx, args[1:], os.Stdout, os.Stderr)
	case "pad":
		good, err = padCommand(ctx, args[1:], os.Stdout, os.Stderr)
	case "crash":
		good, err = crashCommand(ctx, args[1:], os.Stdout, os.Stderr)
	case "frames":
		good, err = framesCommand(ctx, args[1:], os.Stdout, os.Stderr)
	case "soak":
		good, err = soakCommand(ctx, args[1:], os.Stdout, os.Stderr)
	case "drain":
		good, err = drainCommand(ctx, args[1:], os.Stdout, os.Stderr)
	case "bare": // a process of a campaign's own, not for people
		good, err = true, bare.Command(ctx, args[1:], os.Stdin, os.Stdout, os.Stderr)
	case "fleet":
		good, err = fleetCommand(ctx, args[1:], os.Stdout, os.Stderr)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(os.Stdout, usageText)
		return exitDone
	default:
		fmt.Fprintf(os.Stderr, "gatesim: no command %q\n%s", args[0], usageText)
		return exitUnable
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		fmt.Fprintf(os.Stderr, "gatesim %s: %v\n", args[0], err)
		return exitUnable
	case !good:
		return exitNegative
	default:
		return exitDone
	}
}
