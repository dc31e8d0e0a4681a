// What is changed in librdkafka's code before it is compiled, and why.
import type { Mend } from "./mend.ts";
import { mendsOfOthers } from "./others.ts";

export const mends: readonly Mend[] = [
  ...mendsOfOthers,
  /**
   * A broker that has just started may answer for its topics and name no broker at all. librdkafka believes
   * it, forgets every broker, and stays without any for good (its issue 5301, open; the fix is that of pull request
   * 5303): after all brokers had died, producers and consumers were of no use until restarted.
   */
  {
    file: "src/rdkafka_metadata.c",
    wrong: "if (md->broker_cnt == 0 && md->topic_cnt == 0) {",
    right: "if (md->broker_cnt == 0) {",
  },
  /**
   * The thread that sends is woken by the first record of a partition. Without linger it then sends the first few of
   * records that are handed over in a row, and the rest with its next request; with linger it sleeps for whole
   * milliseconds, however short that is. So whoever has more for the same partition says so (send.cc).
   */
  {
    file: "src/rdkafka_partition.c",
    wrong: `rd_kafka_msgq_may_wakeup(&rktp->rktp_msgq, now) &&
                     (wakeup_q`,
    right: `!coffee_orders_more_follow &&
                     rd_kafka_msgq_may_wakeup(&rktp->rktp_msgq, now) &&
                     (wakeup_q`,
  },
  /**
   * librdkafka knows a topic's id and tells nobody. It notices that the id has changed and goes on reading at the old offset
   * (as it says itself in rd_kafka_topic_metadata_update0), so that whoever needs to know asks for it (group.cc).
   */
  {
    file: "src/rdkafka_metadata_cache.c",
    wrong:
      "struct rd_kafka_metadata_cache_entry *\nrd_kafka_metadata_cache_find(rd_kafka_t *rk, const char *topic, int valid) {",
    right: `void coffee_orders_cached_topic_id(rd_kafka_t *rk, const char *topic, rd_kafka_Uuid_t *id);
void coffee_orders_cached_topic_id(rd_kafka_t *rk, const char *topic, rd_kafka_Uuid_t *id) {
        const struct rd_kafka_metadata_cache_entry *rkmce;
        rd_kafka_rdlock(rk);
        rkmce = rd_kafka_metadata_cache_find(rk, topic, 1);
        if (rkmce)
                *id = rkmce->rkmce_metadata_internal_topic.topic_id;
        rd_kafka_rdunlock(rk);
}

struct rd_kafka_metadata_cache_entry *
rd_kafka_metadata_cache_find(rd_kafka_t *rk, const char *topic, int valid) {`,
  },
  /**
   * Who asks for a group's offsets asks the coordinator that it knows, also when that says that it is another one by now. It
   * forgets it only with the broker's connection: members that were given partitions could not take them on, for good.
   */
  {
    file: "src/rdkafka_admin.c",
    wrong: `                                          reply, NULL, &offsets, rd_false,
                                          rd_true, rd_false);

        if (unlikely(err != RD_KAFKA_RESP_ERR_NO_ERROR)) {
`,
    right: `                                          reply, NULL, &offsets, rd_false,
                                          rd_true, rd_false);

        if (unlikely(err != RD_KAFKA_RESP_ERR_NO_ERROR)) {
                rd_kafka_coord_cache_evict(&rk->rk_coord_cache, rkb);
`,
  },
  /**
   * The same for one that died and is in no broker's metadata any more, which is never heard of again (librdkafka's issue 5511,
   * open; the fix is that of pull request 5512). And those that wait for it look for another.
   */
  {
    file: "src/rdkafka_broker.c",
    wrong: `        if (rk->rk_cgrp && rk->rk_cgrp->rkcg_curr_coord &&
            rk->rk_cgrp->rkcg_curr_coord == rkb)
`,
    right: `        if (!rd_kafka_terminating(rk)) {
                rd_kafka_coord_cache_evict(&rk->rk_coord_cache, rkb);
                rd_kafka_coord_rkb_monitor_cb(rkb);
        }

        if (rk->rk_cgrp && rk->rk_cgrp->rkcg_curr_coord &&
            rk->rk_cgrp->rkcg_curr_coord == rkb)
`,
  },
  /**
   * Where a coordinator comes up for a request whose time is over, that is given back twice, and the process ends with it
   * («Assertion eonce->refcnt > 0»).
   */
  {
    file: "src/rdkafka_admin.c",
    wrong: `        if (!rko)
                /* Admin request has timed out and been destroyed */
                return RD_KAFKA_RESP_ERR__DESTROY;
`,
    right: `        if (!rko) {
                rd_kafka_replyq_destroy(&replyq);
                return RD_KAFKA_RESP_ERR_NO_ERROR;
        }
`,
  },
  /**
   * Who asks for a partition's ends has two answers; where both are read at once, one an error and the other none, the error
   * was forgotten, and the end that was not told was taken for the other: a partition with records looked empty.
   */
  {
    file: "src/rdkafka.c",
    wrong: "        if (err || state->offidx == 2) /* Error or Done */\n",
    right: `        if (state->err == RD_KAFKA_RESP_ERR__IN_PROGRESS &&
            (err || state->offidx == 2)) /* Error or Done */
`,
  },
  /**
   * librdkafka tells of a batch whose checksum is wrong, or whose version no broker has, and goes on behind it, or means to:
   * its orders would be lost, though another replica may have them as they were written. So it is asked for again, as one is
   * that can't be decompressed.
   */
  {
    file: "src/rdkafka_msgset_reader.c",
    wrong: `                                rd_kafka_buf_skip_to(rkbuf, crc_len);

                        } else {`,
    right: `                                return RD_KAFKA_RESP_ERR__BAD_MSG;

                        } else {`,
  },
  {
    file: "src/rdkafka_msgset_reader.c",
    wrong: `                        /* Continue with next message */
                        return RD_KAFKA_RESP_ERR_NO_ERROR;
                }
        }

`,
    right: `                        return RD_KAFKA_RESP_ERR__BAD_MSG;
                }
        }

`,
  },
  {
    file: "src/rdkafka_msgset_reader.c",
    wrong: `                                /* Skip message(set) */
                                msetr->msetr_rktp->rktp_offsets.fetch_pos
                                    .offset = Offset + 1;
`,
    right: "",
  },
  /**
   * A batch of one megabyte may be a thousand without gzip, which ended consumer after consumer for want of memory. Now it is
   * one that can't be decompressed, as one of zstd is, from receive.message.max.bytes on.
   */
  {
    file: "src/rdgz.c",
    wrong: `                        if (pass == 2) {
                                /* Advance output pointer`,
    right: `                        if (strm.total_out > 100000000) {
                                inflateEnd(&strm);
                                goto fail;
                        }

                        if (pass == 2) {
                                /* Advance output pointer`,
  },
  /**
   * Metadata with a lower leader epoch is taken for outdated. That of a topic that was made anew begins at 0, and who had
   * seen a higher one reads nothing of it for good. So what is lower for seconds on end counts.
   */
  {
    file: "src/rdkafka_partition.h",
    wrong: "        int32_t rktp_leader_epoch; /**< Last known partition leader epoch,",
    right: `        rd_ts_t rktp_ts_lower_epoch; /* Since when metadata has a lower one; 0: it has not. */
        int32_t rktp_leader_epoch; /**< Last known partition leader epoch,`,
  },
  {
    file: "src/rdkafka_topic.c",
    wrong: "        if (leader_epoch != -1 && leader_epoch < rktp->rktp_leader_epoch) {",
    right: `        if (leader_epoch == -1 || leader_epoch >= rktp->rktp_leader_epoch)
                rktp->rktp_ts_lower_epoch = 0;
        else if (rktp->rktp_ts_lower_epoch == 0)
                rktp->rktp_ts_lower_epoch = rd_clock();
        if (leader_epoch != -1 && leader_epoch < rktp->rktp_leader_epoch &&
            rd_clock() - rktp->rktp_ts_lower_epoch < 3 * 1000 * 1000) {`,
  },
  /**
   * Where a reader is was noted only if it is further than before, a lower epoch counting as less. So in a log that was made
   * anew, or cut in the same epoch, the place in the log before stayed noted, and every pause and rebalance led back to it:
   * what lies between was passed over, and committed. Now the newest that was handed out is noted, wherever it is.
   */
  {
    file: "src/rdkafka_queue.c",
    wrong: `        for (i = cnt - 1; i >= 0; i--) {
                rko = (rd_kafka_op_t *)rkmessages[i]->_private;`,
    right: `        for (i = 0; i < (int)cnt; i++) {
                rko = (rd_kafka_op_t *)rkmessages[i]->_private;`,
  },
  {
    file: "src/rdkafka_queue.c",
    wrong: ` &&
                             rd_kafka_fetch_pos_cmp(&pos, &rktp->rktp_app_pos) >
                                 0))`,
    right: "))",
  },
  {
    file: "src/rdkafka_offset.c",
    wrong: `        if (err_pos.offset == RD_KAFKA_OFFSET_INVALID || err)
                pos.offset = rktp->rktp_rkt->rkt_conf.auto_offset_reset;`,
    right: `        /* Before anything of the new log was handed out. */
        rktp->rktp_app_pos.offset       = RD_KAFKA_OFFSET_INVALID;
        rktp->rktp_app_pos.leader_epoch = -1;

        if (err_pos.offset == RD_KAFKA_OFFSET_INVALID || err)
                pos.offset = rktp->rktp_rkt->rkt_conf.auto_offset_reset;`,
  },
  /**
   * An error that says «written before» counted as an acknowledgement, also where it was the first try: an accepted order was
   * nowhere. Brokers acknowledge a repetition as they did the record, when the replicas have it, and since Kafka 1.0 none of
   * them makes that error. So it is one: nobody knows what was written.
   */
  {
    file: "src/rdkafka_request.c",
    wrong: `                /* Void error, delivery succeeded */
                perr->err             = RD_KAFKA_RESP_ERR_NO_ERROR;
                perr->actions         = 0;
                perr->status          = RD_KAFKA_MSG_STATUS_PERSISTED;
                perr->update_next_ack = rd_true;
                perr->update_next_err = rd_true;
`,
    right: "",
  },
  {
    file: "src/rdkafka_partition.c",
    wrong: "void rd_kafka_toppar_enq_msg(rd_kafka_toppar_t *rktp,",
    right: `__thread int coffee_orders_more_follow;

void rd_kafka_toppar_enq_msg(rd_kafka_toppar_t *rktp,`,
  },
];
