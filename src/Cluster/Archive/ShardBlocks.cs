using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The live blocks of one shard as queries see them. Thread-safe; what is live changes in one step.</summary>
/// <remarks>
/// A block found damaged is set aside: told once, counted, no longer read, and named in a warning by whatever it would have answered. A block that can't be read now, because the store is
/// away, or since it was replaced and removed meanwhile, fails the query.
/// </remarks>
internal sealed class ShardBlocks(ShardId shard, LabelAnswers answers, Action<string> report) : IDisposable
{
    private readonly Lock changing = new();
    private volatile LiveBlock[] live = [];
    private volatile DamagedBlock[] damaged = [];

    /// <summary>The live blocks, by first instant, damaged ones left out.</summary>
    public IReadOnlyList<LiveBlock> Live => live;

    /// <summary>The blocks set aside.</summary>
    public IReadOnlyList<DamagedBlock> Damaged => damaged;

    /// <summary>Bytes of the live blocks, of shared ones this shard's part, and their last instant, Unix milliseconds; zeros when there are none.</summary>
    public (long Bytes, long NewestMs) Extent()
    {
        var (bytes, newest) = (0L, 0L);
        foreach (var block in live)
        {
            bytes += block.Bytes;
            newest = Math.Max(newest, block.Range.MaxMs);
        }

        return (bytes, newest);
    }

    /// <summary>The blocks that overlap a range, held.</summary>
    public LiveBlocks Hold(TimeRange range)
    {
        lock (changing)
        {
            // The list's own hold on each ends only after it was taken off the list, under this lock.
            var held = live.Where(b => b.Range.Overlaps(range)).ToList();
            held.ForEach(b => b.Enter());
            return new LiveBlocks(held);
        }
    }

    /// <summary>Adds the series sets of the blocks that overlap the range, by time; of raw and downsampled blocks of the same samples, those that the hints ask for.</summary>
    public void Select(IReadOnlyList<Matcher> matchers, TimeRange range, SelectionHints hints, List<ISeriesSet> into, CancellationToken cancellation)
    {
        using var held = Hold(range);
        var aggregate = AggregateReading.For(hints.Function);
        foreach (var (block, part) in ResolutionChoice.Of(held.Blocks, range, hints))
        {
            Visit(block, reader =>
            {
                using var span = ClusterTracing.Block(block);
                var found = reader.Select(matchers, part, aggregate, block.Within, cancellation);
                var deletions = block.Described.Deletions;
                into.Add(new BlockAnswer(deletions.Count == 0 ? found : new UndeletedSeriesSet(found, deletions, Common(block.Range, part)), block, SetAside));
            });
        }
    }

    /// <summary>Adds the label names of matching series in blocks that overlap the range.</summary>
    public void AddLabelNames(IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into) =>
        AddLabels(range, LabelAnswers.Question.Names(matchers), into, (reader, within) => reader.LabelNames(matchers, range, within));

    /// <summary>Adds the values of a label of matching series in blocks that overlap the range.</summary>
    public void AddLabelValues(string name, IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into) =>
        AddLabels(range, LabelAnswers.Question.Values(name, matchers), into, (reader, within) => reader.LabelValues(name, matchers, range, within));

    /// <summary>Shows the labels of matching series in the blocks that a selection with these matchers and this range reads, once for each such block, one at a time. Reads indexes alone, and of what was asked before not even those.</summary>
    public void VisitSeries(IReadOnlyList<Matcher> matchers, TimeRange range, LabelsVisitor visit, CancellationToken cancellation)
    {
        using var held = Hold(range);
        var chosen = ResolutionChoice.Of(held.Blocks, range, new SelectionHints()).ToArray();
        var text = LabelAnswers.Question.Names(matchers);
        var showing = new Lock();
        ProcessorShares.ForEach(chosen.Length, i =>
        {
            ProcessorTurn.Checkpoint();
            cancellation.ThrowIfCancellationRequested();
            var (block, part) = chosen[i];
            var undeleted = UndeletedSeries.Of(block.Described.Deletions, Common(block.Range, part));
            VisitSeries(block, matchers, text, part, Show, cancellation);

            void Show(ReadOnlySpan<byte> labels)
            {
                if (undeleted?.Has(labels) != false)
                {
                    lock (showing)
                    {
                        visit(labels);
                    }
                }
            }
        });
    }

    /// <summary>Opens a live block now rather than when it is first asked; a damaged one is set aside. Only who keeps it live calls this.</summary>
    public void Open(LiveBlock block) => Visit(block, static _ => { });

    /// <summary>Takes blocks off and puts others in, in one step; running reads of those that leave end undisturbed.</summary>
    public void Replace(IReadOnlyCollection<LiveBlock> leaving, IEnumerable<LiveBlock> coming)
    {
        Change(leaving, coming);
        var gone = leaving.Select(b => b.Ulid).Except(live.Select(b => b.Ulid)).ToHashSet();
        if (gone.Count > 0)
        {
            answers.Forget(shard, gone);
        }
    }

    /// <summary>Closes the blocks once nobody reads them any more. What they answered stays known, for when the shard is opened again.</summary>
    public void Dispose() => Change(live, []);

    /// <summary>Takes a block out of service, because its bytes are wrong; it stays in the manifest, for an operator to mend or to give up.</summary>
    /// <exception cref="IOException">It is no longer live: others hold its samples by now, and its files go when the delete delay has passed, however long a query takes.</exception>
    public void SetAside(LiveBlock block, InvalidDataException damage)
    {
        lock (changing)
        {
            if (!live.Contains(block))
            {
                // Whoever was first to find it damaged has told so.
                if (damaged.Any(d => d.Block.Meta.Ulid == block.Ulid))
                {
                    return;
                }

                throw new IOException($"block {block.Ulid} was replaced by others while it was asked; ask again", damage);
            }

            live = [.. live.Where(b => b != block)];
            damaged = [.. damaged, new(block.Described, damage.Message)];
        }

        report($"block {block.Ulid} is damaged and set aside, the others serve: {damage.Message}");
        block.Leave();
    }

    /// <summary>Forgets damaged blocks that are no longer the shard's: others hold their samples by now, or nobody is to have them.</summary>
    public void ForgetDamaged(Predicate<ManifestBlock> isGone)
    {
        lock (changing)
        {
            damaged = [.. damaged.Where(d => !isGone(d.Block))];
        }
    }

    /// <summary>Asks each block by itself, side by side where there are processors to spare; what one has answered before is not asked again.</summary>
    private void AddLabels(TimeRange range, string text, ISet<string> into, Func<BlockReader, HashRange, IReadOnlyList<string>> ask)
    {
        using var held = Hold(range);
        var blocks = held.Blocks;
        var found = new IReadOnlyList<string>?[blocks.Count];
        ProcessorShares.ForEach(found.Length, i =>
        {
            ProcessorTurn.Checkpoint();
            var question = new LabelAnswers.Question(shard, blocks[i].Ulid, blocks[i].Within, text);
            found[i] = answers.Find(question);
            if (found[i] is null)
            {
                Visit(blocks[i], reader => answers.Put(question, found[i] = ask(reader, blocks[i].Within)));
            }
        });

        foreach (var part in found)
        {
            into.UnionWith(part ?? []);
        }
    }

    private void VisitSeries(LiveBlock block, IReadOnlyList<Matcher> matchers, string text, TimeRange range, LabelsVisitor visit, CancellationToken cancellation)
    {
        SeriesTimes? series = null;
        if (SeriesTimes.Tells(range) && answers.LargestBytes > 0)
        {
            var question = new LabelAnswers.Question(shard, block.Ulid, block.Within, text, OfSeries: true);
            if (!answers.TryFindSeries(question, out series))
            {
                Visit(block, reader => answers.Put(question, series = SeriesTimes.Read(reader, matchers, block.Within, answers.LargestBytes, cancellation)));
            }
        }

        if (series is not null)
        {
            series.Visit(range, visit);
        }
        else
        {
            Visit(block, reader => SeriesTimes.Visit(reader, matchers, range, block.Within, visit, cancellation));
        }
    }

    private void Visit(LiveBlock block, Action<BlockReader> visit)
    {
        try
        {
            visit(block.Reader());
        }
        catch (InvalidDataException e)
        {
            SetAside(block, e);
        }
    }

    private void Change(IReadOnlyCollection<LiveBlock> leaving, IEnumerable<LiveBlock> coming)
    {
        List<LiveBlock> left;
        lock (changing)
        {
            left = [.. leaving.Where(live.Contains)];
            live = [.. live.Except(leaving).Concat(coming).OrderBy(b => b.Described.Meta.MinTime).ThenBy(b => b.Ulid)];
        }

        left.ForEach(b => b.Leave());
    }

    private static TimeRange Common(TimeRange a, TimeRange b) => new(Math.Max(a.MinMs, b.MinMs), Math.Min(a.MaxMs, b.MaxMs));
}

/// <summary>A block set aside.</summary>
/// <param name="Block">Which.</param>
/// <param name="Reason">What is wrong with it: file, offset and reason.</param>
internal sealed record DamagedBlock(ManifestBlock Block, string Reason);
