using System.Runtime.InteropServices;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>What is known of a text while it is coded: the tokens of each lane so far, after the token that it begins with. Rows are windows at random places of random lanes.</summary>
internal sealed class OnlineText : LearningTask
{
    private readonly List<int>[] _lanes;
    private readonly int _vocab;
    private readonly ulong _seed;

    public OnlineText(int lanes, int first, int vocab, ulong seed)
    {
        _lanes = [.. Enumerable.Range(0, lanes).Select(_ => new List<int> { first })];
        (_vocab, _seed) = (vocab, seed);
    }

    /// <inheritdoc/>
    public override string Name => "the text so far";

    /// <inheritdoc/>
    public override int Vocab => _vocab;

    /// <summary>The tokens of a lane.</summary>
    public ReadOnlySpan<int> this[int lane] => CollectionsMarshal.AsSpan(_lanes[lane]);

    public void Add(int lane, int token) => _lanes[lane].Add(token);

    /// <inheritdoc/>
    public override IReadOnlyList<BatchField> Fields(int time) => BatchField.OfTokens(time);

    /// <inheritdoc/>
    public override long Places(TaskSplit split) => split == TaskSplit.Training ? long.MaxValue : 0;

    /// <inheritdoc/>
    public override int Fill(in RowKey key, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        var draws = new RowDraws(_seed, key);
        ReadOnlySpan<int> lane = this[draws.Below(_lanes.Length)];
        int length = Math.Min(tokens.Length, lane.Length - 1);
        if (length <= 0)
        {
            return 0;
        }

        int start = draws.Below(lane.Length - length);
        lane.Slice(start, length).CopyTo(tokens);
        lane.Slice(start + 1, length).CopyTo(targets);
        return length;
    }
}
