//go:build wasip1

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"orrery/cmd/internal/durable"
)

// syncs are the ways to make a file durable.
var syncs = map[string]func(*os.File) error{"patient": durable.Sync, "plain": (*os.File).Sync}

// syncLoop syncs for ever.
func syncLoop(args []string) error {
	f, err := os.Create("/loop")
	if err != nil {
		return err
	}
	fmt.Println("syncing")
	for {
		if _, err := f.Write([]byte("x")); err != nil {
			return err
		}
		if err := syncs[args[0]](f); err != nil {
			return err
		}
	}
}

// limp syncs two files at once, and prints what its ticks of ten milliseconds see of it.
func limp(args []string) error {
	begun := time.Now()
	seen := make(chan int)
	var all sync.WaitGroup
	for _, name := range []string{"/a", "/b"} {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		all.Go(func() {
			if _, err := f.WriteString("before"); err != nil {
				fmt.Println(err)
			}
			err := syncs[args[0]](f)
			fmt.Println("synced", name, time.Since(begun).Round(10*time.Millisecond), err)
		})
	}
	done := make(chan bool)
	go func() {
		ticks := 0
		defer func() { seen <- ticks }()
		for {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
				ticks++
			}
		}
	}()
	all.Wait()
	close(done)
	fmt.Println("ticks:", <-seen/10*10)
	return forever(nil)
}

// fail syncs what cannot be synced.
func fail([]string) error {
	f, err := os.Create("/f")
	if err != nil {
		return err
	}
	err = durable.Sync(f)
	fmt.Println(err, errors.Is(err, syscall.EIO))
	closed := make(chan error)
	go func() { closed <- durable.Sync(f) }()
	time.Sleep(time.Millisecond)
	if err := f.Close(); err != nil { // in the midst of the sync
		return err
	}
	fmt.Println(<-closed)
	fmt.Println(durable.Sync(f), errors.Is(durable.Sync(f), fs.ErrClosed))
	fmt.Println(durable.Sync(nil))
	return nil
}

//go:wasmimport orrery sync
//go:noescape
func hostSync(fd int32, answer *int32) syscall.Errno

// hasty does with the descriptor of a sync what it likes.
func hasty([]string) error {
	var fd int32
	fmt.Println(hostSync(99, &fd), hostSync(1, &fd))
	d, err := os.Open("/")
	if err != nil {
		return err
	}
	raw, err := d.SyscallConn()
	if err != nil {
		return err
	}
	b := make([]byte, 8)
	return raw.Control(func(dir uintptr) {
		fmt.Println(hostSync(int32(dir), &fd) == 0)
		_, early := syscall.Read(int(fd), b)
		_, written := syscall.Write(int(fd), b)
		time.Sleep(time.Second)
		_, short := syscall.Read(int(fd), b[:3])
		n, err := syscall.Read(int(fd), b)
		end, _ := syscall.Read(int(fd), b)
		fmt.Println(early, written, short, n, b[:n], err, end, syscall.Close(int(fd)))
		var failure syscall.Errno
		for begun := 0; ; begun++ { // until there are no descriptors
			if failure = hostSync(int32(dir), &fd); failure != 0 {
				fmt.Println(begun > 1000, failure)
				break
			}
		}
		for fd := 10; syscall.Close(fd) == nil; fd++ { // unread
		}
		time.Sleep(time.Second)
		fmt.Println(hostSync(int32(dir), &fd) == 0)
	})
}
