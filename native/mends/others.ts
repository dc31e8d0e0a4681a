// The same where it is about what others do: another cluster, another producer, a group.
import type { Mend } from "./mend.ts";

export const mendsOfOthers: readonly Mend[] = [
  /**
   * A producer's id is its cluster's. Where another cluster answers at the same address, as one does that was made anew without
   * its data, librdkafka notes that and keeps the id, which somebody else is given there; of two who write under one id, brokers
   * take the second for a repetition of the first and acknowledge it: an accepted order was nowhere. Now it asks for a new one.
   */
  {
    file: "src/rdkafka_metadata.c",
    wrong: `                                     rk->rk_clusterid);
                        rd_free(rk->rk_clusterid);
`,
    right: `                                     rk->rk_clusterid);
                        rd_free(rk->rk_clusterid);
                        if (rk->rk_eos.idemp_state ==
                                RD_KAFKA_IDEMP_STATE_ASSIGNED ||
                            rk->rk_eos.idemp_state ==
                                RD_KAFKA_IDEMP_STATE_DRAIN_BUMP)
                                rd_kafka_idemp_set_state(
                                    rk, RD_KAFKA_IDEMP_STATE_DRAIN_RESET);
`,
  },
  {
    file: "src/rdkafka_metadata.c",
    wrong: `        if (rd_kafka_is_idempotent(rkb->rkb_rk)) {
                rd_kafka_wrlock(rkb->rkb_rk);
                rd_kafka_idemp_pid_fsm(`,
    right: `        if (rd_kafka_is_idempotent(rkb->rkb_rk)) {
                if (rk->rk_eos.idemp_state == RD_KAFKA_IDEMP_STATE_DRAIN_RESET)
                        rd_kafka_idemp_drain_reset(rk, "another cluster");
                rd_kafka_wrlock(rkb->rkb_rk);
                rd_kafka_idemp_pid_fsm(`,
  },
  /**
   * What lies behind another producer's open transaction is not given out, and librdkafka tells nobody: a consumer that could read
   * no further looked ready. Now it is told, as what keeps a fetch from succeeding is.
   */
  {
    file: "src/rdkafka_partition.h",
    wrong: "        int64_t rktp_ls_offset; /**< Current last stable offset",
    right: `        int64_t rktp_hidden_from; /* Where a fetch last brought nothing, and since when it has more than that. */
        rd_ts_t rktp_ts_hidden;
        int64_t rktp_ls_offset; /**< Current last stable offset`,
  },
  {
    file: "src/rdkafka_fetcher.c",
    wrong: `        if (unlikely(hdr.MessageSetSize <= 0))
                goto done;
`,
    right: `        if (unlikely(hdr.MessageSetSize <= 0)) {
                int64_t from = rktp->rktp_offsets.fetch_pos.offset;
                if (from != rktp->rktp_hidden_from || from != end_offset ||
                    end_offset >= hdr.HighwaterMarkOffset) {
                        rktp->rktp_hidden_from = from;
                        rktp->rktp_ts_hidden   = rd_clock();
                } else if (rd_clock() - rktp->rktp_ts_hidden > 10 * 1000 * 1000)
                        rd_kafka_consumer_err(
                            rktp->rktp_fetchq, rd_kafka_broker_id(rkb),
                            RD_KAFKA_RESP_ERR__FAIL, tver->version, NULL, rktp,
                            from,
                            "an open transaction hides what is from offset "
                            "%" PRId64 " on",
                            from);
                goto done;
        }
`,
  },
  /**
   * A consumer that is being closed meets its group's last demands itself, on the thread that closes it, and also one that is
   * still on its way to its owner. Before, closing waited for the owner, in another thread; and an owner who met a demand a
   * moment too late waited for ever for an answer, in a client that might be gone by then.
   */
  {
    file: "src/rdkafka.c",
    wrong: `        rd_kafka_q_fwd_set(rkcg->rkcg_q, rkq);

        /* Tell cgrp subsystem to terminate. A TERMINATE op will be posted
         * on the rkq when done. */
        rd_kafka_cgrp_terminate(rkcg, RD_KAFKA_REPLYQ(rkq, 0)); /* async */
`,
    right: `        rk->rk_conf.rebalance_cb = NULL;
        rd_kafka_q_fwd_set(rkcg->rkcg_q, rkq);

        /* Tell cgrp subsystem to terminate. A TERMINATE op will be posted
         * on the rkq when done. */
        rd_kafka_cgrp_terminate(rkcg, RD_KAFKA_REPLYQ(rkq, 0)); /* async */
        /* Nobody waits for this one's answer. */
        rd_kafka_op_t *unassign         = rd_kafka_op_new(RD_KAFKA_OP_ASSIGN);
        unassign->rko_u.assign.method = RD_KAFKA_ASSIGN_METHOD_ASSIGN;
        rd_kafka_q_enq(rkcg->rkcg_ops, unassign);
`,
  },
  {
    file: "src/rdkafka_cgrp.c",
    wrong: `        if (unlikely(rd_atomic32_get(&rkcg->rkcg_terminated) == rd_true)) {
                if (rko)
                        rd_kafka_op_destroy(rko);
`,
    right: `        if (unlikely(rd_atomic32_get(&rkcg->rkcg_terminated) == rd_true)) {
                if (rko)
                        rd_kafka_op_reply(rko, RD_KAFKA_RESP_ERR__DESTROY);
`,
  },
  /**
   * Who had joined and been given nothing yet did not leave when it was closed, and what was to become its own belonged to
   * nobody for a session. librdkafka leaves once all is given back, and asks that only of who has something.
   */
  {
    file: "src/rdkafka_cgrp.c",
    wrong: `                             "terminating, skipping rejoin",
                             RD_KAFKAP_STR_PR(rkcg->rkcg_group_id));
`,
    right: `                             "terminating, skipping rejoin",
                             RD_KAFKAP_STR_PR(rkcg->rkcg_group_id));
                rd_kafka_cgrp_leave_maybe(rkcg);
`,
  },
];
