namespace Metrics.Cluster;

/// <summary>Ways in which the protocol can be broken on purpose. Only tests set one, to show that the simulation would notice (tests/Simulation).</summary>
internal enum Mutant
{
    /// <summary>The protocol as it is specified.</summary>
    None,

    /// <summary>A replica obeys an epoch lower than the one it promised.</summary>
    ObeysOldEpochs,

    /// <summary>A replica forgets its promise when it restarts.</summary>
    ForgetsPromise,

    /// <summary>A replica compares its log neither with the decided history nor with what should stand before the records it is sent.</summary>
    ComparesNothing,

    /// <summary>A replica keeps the tail that the decided history voids.</summary>
    KeepsVoidTail,

    /// <summary>A replica answers before the records are synced.</summary>
    AcknowledgesBeforeSync,

    /// <summary>A replica that has lost records answers as if it had not.</summary>
    HidesDamage,

    /// <summary>The owner acknowledges when one replica has a record.</summary>
    AcknowledgesEarly,

    /// <summary>The owner counts answers, not members.</summary>
    CountsAnswersTwice,

    /// <summary>The owner counts the new ensemble alone while the swap is under way.</summary>
    CountsNewEnsembleAtOnce,

    /// <summary>A new member stands for all records before it has them.</summary>
    CollapsesWithoutCatchUp,

    /// <summary>The new owner asks nobody to promise its epoch.</summary>
    SkipsFence,

    /// <summary>The new owner is content with the first answer.</summary>
    FencesOneOnly,

    /// <summary>The new owner takes the shortest log.</summary>
    RecoversShortest,

    /// <summary>The new owner goes on from the last record known to be acknowledged.</summary>
    ReusesNumbers,

    /// <summary>The new owner opens before a quorum holds the tail it recovered.</summary>
    OpensBeforeReplicating,

    /// <summary>The new owner's records bear the epoch of the one before.</summary>
    KeepsOldEpochInRecords,

    /// <summary>The new owner does not write down where its epoch begins.</summary>
    SkipsHistory,

    /// <summary>The owner drops records before a block holds them.</summary>
    TruncatesTooMuch,

    /// <summary>The owner's blocks cover records that are not acknowledged.</summary>
    PublishesUnacknowledged,

    /// <summary>A manifest is replaced without comparing. The simulated store does it.</summary>
    SwapsBlindly,

    /// <summary>A replica that the manifest names is swept.</summary>
    SweepsMembers,

    /// <summary>A shard is split without being sealed: it goes on taking writes.</summary>
    SplitsUnsealedShards,

    /// <summary>The map is swapped before the children have manifests.</summary>
    SwapsMapBeforeChildren,

    /// <summary>Whoever opens a sealed shard leaves the change undecided.</summary>
    OpensSealedShards,

    /// <summary>The objects of a block go when one of the shards that share it has rewritten it.</summary>
    RemovesSharedBlocks,
}
