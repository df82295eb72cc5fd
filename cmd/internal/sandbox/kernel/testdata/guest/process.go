//go:build wasip1

package main

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// args prints what the guest was given.
func args(args []string) error {
	fmt.Printf("%q %q\n", args, os.Environ())
	fmt.Fprint(os.Stderr, "a line without an end")
	return nil
}

// sleepALot sleeps so many milliseconds, so often.
func sleepALot(args []string) error {
	times, _ := strconv.Atoi(args[0])
	each, _ := strconv.Atoi(args[1])
	for i := range times {
		time.Sleep(time.Duration(each) * time.Millisecond)
		fmt.Println(i, time.Since(start).Milliseconds())
	}
	return nil
}

var start = time.Now()

// clocks prints both clocks, around a sleep of an hour.
func clocks([]string) error {
	before := time.Now()
	time.Sleep(time.Hour)
	after := time.Now()
	fmt.Println(before.UTC().Format(time.RFC3339), after.UTC().Format(time.RFC3339), after.Sub(before).Round(time.Second))
	busy := time.Now()
	for time.Since(busy) < time.Millisecond {
	}
	return nil
}

// compete prints what depends on chance and on the order of goroutines, timers and ready channels.
func compete([]string) error {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	fmt.Printf("%x %d\n", b, mathrand.Uint64())
	results := make(chan string, 64)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				time.Sleep(time.Duration(mathrand.IntN(5)) * time.Millisecond)
				results <- fmt.Sprint(i, ".", j)
			}
		})
	}
	go func() { all.Wait(); close(results) }()
	ticker := time.NewTicker(2 * time.Millisecond)
	seen := map[string]bool{}
	for open := true; open; {
		select {
		case r, more := <-results:
			open = more
			seen[r] = true
			fmt.Println(r)
		case t := <-ticker.C:
			fmt.Println(t.Sub(start))
		}
	}
	for r := range seen { // in the map's order, which is chance's
		fmt.Print(r, " ")
	}
	fmt.Println()
	return nil
}

func exit(args []string) error {
	code, _ := strconv.Atoi(args[0])
	os.Exit(code)
	return nil
}

func crash([]string) error { panic("as asked") }

// spin never waits: it looks at the clock for a year.
func spin([]string) error {
	for time.Since(start) < 365*24*time.Hour {
		runtime.Gosched()
	}
	return nil
}

// link does what no guest of ours needs.
func link([]string) error { return os.Link("/a", "/b") }

// forever sleeps.
func forever([]string) error {
	fmt.Println("up")
	time.Sleep(1e6 * time.Hour)
	return nil
}

// grow needs so many MiB, and then sleeps.
func grow(args []string) error {
	size, _ := strconv.Atoi(args[0])
	b := make([]byte, size<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	fmt.Println("grown")
	time.Sleep(time.Hour)
	fmt.Println(b[0])
	return nil
}

// tick sleeps a millisecond for ever, without a word.
func tick([]string) error {
	for {
		time.Sleep(time.Millisecond)
	}
}
