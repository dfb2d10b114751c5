// Command gatectl is the technician's and the issuing office's tool.
//
// Every command prints its result as JSON, one document or one a line, on
// standard output and everything else on standard error. The exit status is 0
// for done and positive, 1 for done and negative (no match, invalid seal,
// faults found), 2 for could not do it (usage, missing file, device). A
// command changes nothing but what its own words say, and never prints
// personal data to standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// Exit statuses; scripts rely on them.
const (
	exitDone     = 0 // done and positive
	exitNegative = 1 // done and negative
	exitUnable   = 2 // could not do it
)

// env is what a command may write to: results on Out, all else on Err. In is
// where a person answers questions; nil where nobody does.
type env struct {
	Out, Err io.Writer
	In       io.Reader
}

// command is one thing gatectl can do.
type command struct {
	words   string // the words that select it, such as "barcode read"
	summary string // one line for the overview
	run     func(ctx context.Context, e env, args []string) int
}

// commands lists every command; each file of this package brings its own.
func commands() []command {
	return slices.Concat(
		configCommands(),
		modelsCommands(),
		identityCommands(),
		passCommands(),
		barcodeCommands(),
		sealCommands(),
		faceCommands(),
		stateCommands(),
		doctorCommands(),
		armCommands(),
		deviceCommands(),
		officerCommands(),
	)
}

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := env{Out: os.Stdout, Err: os.Stderr}
	if terminal(os.Stdin.Fd()) {
		e.In = os.Stdin
	}
	return dispatch(ctx, e, commands(), os.Args[1:])
}

// dispatch runs the command with the longest match of leading words.
func dispatch(ctx context.Context, e env, list []command, args []string) int {
	best, used := -1, 0
	for i, c := range list {
		words := strings.Fields(c.words)
		if len(words) > used && len(words) <= len(args) && slices.Equal(words, args[:len(words)]) {
			best, used = i, len(words)
		}
	}
	if best < 0 {
		if len(args) == 0 || !slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
			usage(e.Err, list, args)
			return exitUnable
		}
		usage(e.Err, list, nil)
		return exitDone
	}
	return list[best].run(ctx, e, args[used:])
}

// usage prints the overview, or only the commands that begin like args.
func usage(w io.Writer, list []command, args []string) {
	near := list
	if len(args) > 0 {
		near = slices.DeleteFunc(slices.Clone(list), func(c command) bool {
			return strings.Fields(c.words)[0] != args[0]
		})
		if len(near) == 0 {
			fmt.Fprintf(w, "gatectl: no command %q\n\n", args[0])
			near = list
		}
	}
	fmt.Fprintln(w, "usage: gatectl COMMAND [FLAGS] [ARGUMENTS]")
	for _, c := range near {
		fmt.Fprintf(w, "  %-22s %s\n", c.words, c.summary)
	}
}

// newFlags returns a flag set that prints to e.Err and does not exit.
func newFlags(e env, words string) *flag.FlagSet {
	fs := flag.NewFlagSet("gatectl "+words, flag.ContinueOnError)
	fs.SetOutput(e.Err)
	return fs
}

// parseFlags reads args into fs and returns the positional arguments. Flags
// may stand before, between and after them, up to a "--". When ok is false the
// command ends with status.
func parseFlags(fs *flag.FlagSet, args []string) (rest []string, status int, ok bool) {
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, exitDone, false
			}
			return nil, exitUnable, false
		}
		left := fs.Args()
		if parsed := len(args) - len(left); parsed > 0 && args[parsed-1] == "--" {
			return append(rest, left...), exitDone, true
		}
		if len(left) == 0 {
			break
		}
		rest, args = append(rest, left[0]), left[1:]
	}
	return rest, exitDone, true
}

// unable reports why a command could not be done.
func unable(e env, words string, err error) int {
	fmt.Fprintf(e.Err, "gatectl %s: %v\n", words, err)
	return exitUnable
}
