/** A run's events over plain HTTP. */
import type { Readable } from 'node:stream';
import { findRunStream, type RunStream } from '../../../db/runs/run-streams.js';
import { DomainError } from '../../../domain/errors.js';
import { isUuid } from '../../../domain/ids.js';
import { LIMITS } from '../../../domain/account/permissions.js';
import { lastEventId, pipelinePath, runEventsQuery } from './schemas.js';
import type { AppDeps } from '../../deps.js';
import { openEventStream, type EventStreamOptions } from '../../runs/event-stream.js';
import { credentialOf } from '../../http/middleware/authenticate.js';
import { eventStreamSchema } from '../../http/openapi.js';
import { defineRoute, type Route, type SignedInUser } from '../../http/route.js';
import type { Lease } from '../../socket/leases.js';
import { error } from '../../http/error-views.js';

export type RunEventsDeps = Pick<
  AppDeps,
  | 'db'
  | 'eventSubscriptions'
  | 'leases'
  | 'watch'
  | 'metrics'
  | 'stopping'
  | 'config'
  | 'heartbeatMs'
>;

/** Proxies end connections that are silent for a minute or so. */
const HEARTBEAT_MS = 15_000;
/** A place is free when another connection has ended: no one knows when. */
const RETRY_AFTER_SECONDS = 5;

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no', // nginx would hold events back
  Connection: 'close', // kept alive after the end, it would hold up a process that is about to end
};

export function createRunEventsRoutes(deps: RunEventsDeps): readonly Route[] {
  return [
    defineRoute(
      {
        method: 'GET',
        tag: 'pipelines',
        auth: 'user',
        path: '/pipelines/{pipeline_id}/events',
        summary: "A run's events as they come, to its result: the same as on the chat socket",
        params: pipelinePath,
        query: runEventsQuery,
        headers: lastEventId,
        responses: {
          200: { description: 'Server-sent events, `seq` as id', schema: eventStreamSchema },
          204: { description: 'The run has ended, and no event follows', schema: null },
          404: error('Pipeline run not found'),
          429: error('Rate limit exceeded, or too many concurrent connections'),
        },
      },
      async ({ user, params, query, header }) => {
        const { pipeline_id: pipelineId } = params;
        const run = isUuid(pipelineId) ? await findRunStream(deps.db, user.id, pipelineId) : null;
        if (run === null) {
          throw new DomainError('not-found', 'Pipeline run not found');
        }
        const after = Number(header('Last-Event-ID') || query.after);
        if (isOver(run, after)) {
          return { status: 204, body: null };
        }
        const lease = await deps.leases.acquire(user.id, LIMITS[user.role].wsMaxConnections);
        if (lease === null) {
          throw new DomainError('too-many-requests', 'Too many concurrent connections', {
            retryAfterSeconds: RETRY_AFTER_SECONDS,
          });
        }
        const body = openCounted(
          deps,
          { user, lease },
          {
            streamId: run.streamId,
            pipelineId: run.pipelineId,
            after: Math.max(startOf(run), Math.min(after, run.lastSeq)),
            isExtended: query.events === 'extended',
          },
        );
        return { status: 200, body, headers: HEADERS };
      },
    ),
  ];
}

/** A browser connects again after each end, until the answer says that there is no more. */
function isOver({ hasEnded, endSeq }: RunStream, after: number): boolean {
  return endSeq === null ? hasEnded : after >= endSeq;
}

/** The events before it are of the conversation's earlier turns and runs. */
function startOf({ firstSeq, lastSeq }: RunStream): number {
  return firstSeq === null ? lastSeq : firstSeq - 1;
}

/** Ends, too, when the caller's credential does, or when the caller's role leaves no room for it. */
function openCounted(
  deps: RunEventsDeps,
  { user, lease }: { readonly user: SignedInUser; readonly lease: Lease },
  options: Omit<EventStreamOptions, 'onEnd'>,
): Readable {
  const { heartbeatMs = HEARTBEAT_MS, metrics, config } = deps;
  const over = new AbortController();
  let { role } = user;
  metrics.eventStreams.inc();
  const stopWatching = deps.watch.add({
    credential: credentialOf(user),
    onEnded: () => {
      over.abort();
    },
    onUser: (now) => {
      if (now.role !== role) {
        role = now.role;
        void lease.keep(LIMITS[role].wsMaxConnections).then((isKept) => {
          if (!isKept) {
            over.abort();
          }
        });
      }
    },
  });
  const stopping = AbortSignal.any([deps.stopping, over.signal]);
  return openEventStream(
    { ...deps, stopping, heartbeatMs, longestMs: config.eventStreamMs },
    {
      ...options,
      onEnd: () => {
        stopWatching();
        metrics.eventStreams.dec();
        void lease.release();
      },
    },
  );
}
