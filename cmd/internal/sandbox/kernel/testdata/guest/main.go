//go:build wasip1

// Guest is the program that the tests of package kernel run: its first argument says what it
// does, and what it prints is what they look at.
package main

import (
	"fmt"
	"os"
)

// roles are the things that the guest can do.
var roles = map[string]func(args []string) error{
	"args": args, "sleep": sleepALot, "clock": clocks, "compete": compete, "exit": exit, "panic": crash, "spin": spin, "link": link,
	"forever": forever, "grow": grow,
	"write": write, "read": read, "tree": tree,
	"sync": syncLoop, "limp": limp, "fail": fail, "hasty": hasty,
	"echo": echo, "ask": ask, "self": self, "refused": refused, "sink": sink, "pour": pour,
	"serve": serve, "fetch": fetch,
	"bounce": bounce, "throw": throw,
	"relay": relay, "hoard": hoard,
	"tick": tick, "pingpong": pingpong,
}

func main() {
	role := roles[os.Args[1]]
	if role == nil {
		fmt.Println("no such role:", os.Args[1])
		os.Exit(64)
	}
	if err := role(os.Args[2:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}
