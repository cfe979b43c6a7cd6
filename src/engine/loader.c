/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two objects, two threads; see loader.h. The second thread opens its object while the first
 * one's is set up, waits until that one's maps are made (libbpf makes them before it loads the
 * first program), takes them over and loads. It touches nothing else of the session.
 */
#include "loader.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "image.h"

#define PROGRAMS 512 /* more than the object has */

enum stage { STAGE_WAIT, STAGE_LOAD, STAGE_DROP };

struct loader {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	enum stage stage;
	bool hash;
	struct bpf_object *from; /* whose maps are there from STAGE_LOAD on */
	struct bpf_object *obj;
	bool moved[PROGRAMS]; /* by the place in the object */
	size_t nmoved;
	int err;
};

static int take_maps(struct loader *l)
{
	struct bpf_map *to, *from = NULL;

	bpf_object__for_each_map(to, l->obj) {
		int err;

		from = bpf_object__next_map(l->from, from);
		err = from ? bpf_map__reuse_fd(to, bpf_map__fd(from)) : -EINVAL;
		if (err)
			return err;
	}
	return 0;
}

static int load_moved(struct loader *l)
{
	struct bpf_program *prog;
	size_t i = 0;
	int err = take_maps(l);

	bpf_object__for_each_program(prog, l->obj)
		bpf_program__set_autoload(prog, i < PROGRAMS && l->moved[i++]);
	return err ? err : bpf_object__load(l->obj);
}

static enum stage await_turn(struct loader *l)
{
	enum stage stage;

	pthread_mutex_lock(&l->lock);
	while (l->stage == STAGE_WAIT)
		pthread_cond_wait(&l->turn, &l->lock);
	stage = l->stage;
	pthread_mutex_unlock(&l->lock);
	return stage;
}

static void *second_thread(void *arg)
{
	struct loader *l = arg;

	l->obj = image_open(l->hash);
	l->err = l->obj ? 0 : -errno;
	if (await_turn(l) == STAGE_LOAD && !l->err)
		l->err = load_moved(l);
	return NULL;
}

static void give_turn(struct loader *l, enum stage stage)
{
	pthread_mutex_lock(&l->lock);
	if (l->stage == STAGE_WAIT)
		l->stage = stage;
	pthread_cond_signal(&l->turn);
	pthread_mutex_unlock(&l->lock);
}

static void maps_are_made(void *ctx)
{
	give_turn(ctx, STAGE_LOAD);
}

static int cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

struct loader *loader_begin(bool hash)
{
	struct loader *l;
	sigset_t all, mask;
	int err;

	if (cpus() < 2 || image_prepare(hash))
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->hash = hash;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->turn, NULL);
	sigfillset(&all); /* signals are for the first thread */
	pthread_sigmask(SIG_BLOCK, &all, &mask);
	err = pthread_create(&l->thread, NULL, second_thread, l);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (!err)
		return l;
	free(l);
	return NULL;
}

void loader_move(struct loader *l, struct bpf_object *obj, struct bpf_program *prog)
{
	struct bpf_program *at = NULL;
	size_t i = 0;

	while ((at = bpf_object__next_program(obj, at)) && at != prog)
		i++;
	if (!at || i >= PROGRAMS)
		return;
	bpf_program__set_autoload(prog, false);
	l->moved[i] = true;
	l->nmoved++;
}

/* The second thread's error, after its end. */
static int end(struct loader *l, enum stage stage, struct bpf_object **other)
{
	int err;

	give_turn(l, stage);
	pthread_join(l->thread, NULL);
	err = l->err;
	*other = l->obj;
	pthread_cond_destroy(&l->turn);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return err;
}

void loader_drop(struct loader *l)
{
	struct bpf_object *obj = NULL;

	if (!l)
		return;
	end(l, STAGE_DROP, &obj);
	bpf_object__close(obj);
}

int loader_load(struct loader *l, struct bpf_object *obj, struct bpf_object **other)
{
	int err, second;

	*other = NULL;
	if (l && !l->nmoved) {
		loader_drop(l);
		l = NULL;
	}
	if (!l)
		return bpf_object__load(obj);
	l->from = obj;
	image_on_first_program(maps_are_made, l);
	err = bpf_object__load(obj);
	image_on_first_program(NULL, NULL);
	second = end(l, err ? STAGE_DROP : STAGE_LOAD, other);
	if (!err && !second)
		return 0;
	bpf_object__close(*other);
	*other = NULL;
	return err ? err : second;
}
