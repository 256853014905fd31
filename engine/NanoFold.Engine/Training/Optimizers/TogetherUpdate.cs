using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Training;

/// <summary>AdamW over ranges that lie one after the other in the store, in as few calls as there may be: usually one.</summary>
internal sealed class TogetherUpdate
{
    private readonly ParameterStore _store;
    private readonly AdamConfig _config;
    private readonly IKernel<AdamWTogetherCall> _kernel;
    private readonly OptimizerSlot _first;
    private readonly OptimizerSlot _second;
    private readonly List<(RoleRange Piece, UpdatePart[] Parts)> _calls = [];

    /// <param name="config">Resolved.</param>
    /// <param name="kernel">Does it.</param>
    /// <param name="first">The average of gradients.</param>
    /// <param name="second">That of their squares.</param>
    /// <param name="ranges">At least one; their slots too lie one after the other.</param>
    public TogetherUpdate(AdamConfig config, IKernel<AdamWTogetherCall> kernel, OptimizerSlot first, OptimizerSlot second, IReadOnlyList<RoleRange> ranges)
    {
        (_store, _config, _kernel, _first, _second) = (ranges[0].Store, config, kernel, first, second);
        Elements = new ElementRange(ranges[0].Elements.Start, ranges[^1].Elements.End);
        RoleRange[] pieces = [.. ranges.SelectMany(Pieces)];
        for (int from = 0, next; from < pieces.Length; from = next)
        {
            long start = pieces[from].Elements.Start;
            for (next = from + 1; next < pieces.Length && next - from < AdamWTogetherCall.MostParts && pieces[next].Elements.End - start <= ElementRange.MostInPiece; next++)
            {
            }

            RoleRange[] parts = pieces[from..next];
            _calls.Add((
                parts[0] with { Elements = new ElementRange(start, parts[^1].Elements.End) },
                [.. parts.Select(part => new UpdatePart(checked((int)(part.Elements.End - start)), part.Rate, part.Decay))]));
        }
    }

    /// <summary>All that it updates.</summary>
    public ElementRange Elements { get; }

    public void Run()
    {
        foreach ((RoleRange piece, UpdatePart[] parts) in _calls)
        {
            _kernel.Run(new AdamWTogetherCall(
                piece.State, piece.Values, piece.Gradients, piece.In(_first), piece.In(_second), _config.Beta1!.Value, _config.Beta2!.Value, _config.Epsilon!.Value, parts)
            {
                Rounded = _store.Rounded(piece.Elements),
            });
        }
    }

    private static IEnumerable<RoleRange> Pieces(RoleRange range)
    {
        foreach (ElementRange piece in range.Elements)
        {
            yield return range with { Elements = piece };
        }
    }
}
