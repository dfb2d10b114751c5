// Command gated is the gate daemon: one process per gate machine, which lets
// one person at a time through a turnstile after it has read his pass, matched
// his face and asked its own cache about his account.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"bordergate/cmd/gated/app"
	"bordergate/configs"
)

// Exit status of the command.
const (
	exitDone   = 0
	exitFaults = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	flags := flag.NewFlagSet("gated", flag.ContinueOnError)
	path := flags.String("config", "/etc/bordergate/gate.yaml", "configuration `file` of the gate")
	check := flags.Bool("check", false, "load and validate the configuration, open nothing, and end")
	debug := flags.Bool("debug", false, "log more")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: gated --config FILE [--check] [--debug]")
		return exitUsage
	}
	level := &slog.LevelVar{}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	cfg, faults := configs.LoadGate(*path)
	if err := faults.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if *check {
			return exitFaults
		}
		return serve(ctx, app.NewBroken(faults, log), log)
	}
	if *check {
		fmt.Fprintln(os.Stderr, "configuration is valid")
		return exitDone
	}
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil || *debug {
		level.Set(slog.LevelDebug)
	}
	return serve(ctx, app.New(cfg, log), log)
}

// serve runs the gate to its end. A gate with faults serves its status until
// it is told to stop, and its exit status says that it never worked.
func serve(ctx context.Context, a *app.App, log *slog.Logger) int {
	log.Info("Gate started", "status", a.StatusAddr(), "faults", len(a.Faults()))
	err := a.Serve(ctx)
	if closing := a.Close(); closing != nil {
		log.Error("Gate did not close in order", "error", closing)
	}
	switch {
	case errors.Is(err, app.ErrRestart):
		log.Info("Gate ends to be started again")
		return exitDone
	case err != nil:
		log.Error("Gate ended", "error", err)
		return exitUsage
	case len(a.Faults()) > 0:
		return exitFaults
	default:
		log.Info("Gate stopped")
		return exitDone
	}
}
