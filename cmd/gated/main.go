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
	"sync"
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
	logs := app.NewLogs(os.Stderr)
	log := logs.Logger()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	cfg, faults := configs.LoadGate(*path)
	if err := faults.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if *check {
			return exitFaults
		}
		return serve(ctx, app.NewBroken(faults, log), *path, log)
	}
	if *check {
		fmt.Fprintln(os.Stderr, "configuration is valid")
		return exitDone
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil || *debug {
		level = slog.LevelDebug
	}
	logs.SetLevel(level)
	return serve(ctx, app.New(cfg, log), *path, log)
}

// reloads has the gate read its configuration again at each SIGHUP, until end.
func reloads(a *app.App, path string) (end func()) {
	hup, quit := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hup, syscall.SIGHUP)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-hup:
				a.Reload(path)
			case <-quit:
				return
			}
		}
	})
	return func() {
		signal.Stop(hup)
		close(quit)
		running.Wait()
	}
}

// serve runs the gate to its end. A gate with faults serves its status until
// it is told to stop, and its exit status says that it never worked.
func serve(ctx context.Context, a *app.App, path string, log *slog.Logger) int {
	end := reloads(a, path)
	log.Info("Gate started", "status", a.StatusAddr(), "faults", len(a.Faults()))
	err := a.Serve(ctx)
	end()
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
