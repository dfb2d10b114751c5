// Command gatebench measures parts of the gate beside their peers, in the same
// run on the same input, and writes the results to a file that the other parts'
// results are kept in. It is the developers' and is not installed on a gate.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"bordergate/cmd/gatebench/replica"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case len(args) > 0 && args[0] == "barcode":
		err = barcode(ctx, args[1:], stdout, stderr)
	case len(args) > 0 && args[0] == "biometrics":
		err = biometrics(ctx, args[1:], stdout, stderr)
	case len(args) > 0 && args[0] == "sync":
		err = syncPart(ctx, args[1:], stdout, stderr)
	case len(args) > 0 && args[0] == "accounts":
		err = accounts(ctx, args[1:], stdout, stderr)
	case len(args) > 0 && args[0] == "people":
		err = people(ctx, args[1:], stdout, stderr)
	case len(args) > 0 && args[0] == "lane":
		err = lanePart(ctx, args[1:], stdout, stderr)
	case len(args) == 1 && args[0] == "accounts-gate":
		err = replica.ServeGate(ctx, stdin, stdout)
	case len(args) == 1 && args[0] == "barcode-reader":
		runtime.GOMAXPROCS(1) // one thread, as the peers
		err = serveReader(stdin, stdout)
	default:
		err = errors.New("usage: gatebench barcode|biometrics|sync|lane|accounts|people [flags]")
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return 2
	case errors.Is(err, errGoal):
		fmt.Fprintf(stderr, "gatebench: %v\n", err)
		return 1
	}
	fmt.Fprintf(stderr, "gatebench: %v\n", err)
	return 2
}
