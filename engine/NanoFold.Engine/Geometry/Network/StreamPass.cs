using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>One pass through the body of a model over the tokens of a probe, of which chosen points are read at chosen tokens.</summary>
internal static class StreamPass
{
    /// <summary>What the head reads.</summary>
    public const string Last = "ln_final.hook_normalized";

    /// <summary>The stream before the first block and after each, by name and layer.</summary>
    public static IReadOnlyList<FigurePoint> Streams(Transformer model) =>
    [
        new("blocks.0.hook_resid_pre", 0),
        .. Enumerable.Range(0, model.Config.Layers).Select(layer => new FigurePoint($"blocks.{layer}.hook_resid_post", layer)),
    ];

    /// <summary>Values [R, C] of each point.</summary>
    /// <param name="network">The model and its tokens.</param>
    /// <param name="points">Full names.</param>
    /// <param name="rows">Which tokens, b · T + t.</param>
    public static Dictionary<string, float[]> Read(NetworkSample network, IEnumerable<string> points, ReadOnlySpan<int> rows)
    {
        using var taps = new TapRows(network.Backend, rows.Length);
        taps.Set(rows);
        var values = new Dictionary<string, float[]>();
        using var pass = new NetworkPass(network, [.. points.Select(point => new NetworkPass.Reader(point, (name, read, _) => values[name] = read, taps))]);
        pass.Run();
        return values;
    }

    /// <summary>At most so many of the tokens of a probe, those at position 0 with the share that they have among all.</summary>
    public static int[] Choose(SampledRows points, int count)
    {
        if (count >= points.Count)
        {
            return points.Rows.ToArray();
        }

        int first = (int)((long)count * points.First / points.Count);
        return [.. points.Rows[..first], .. points.Rows.Slice(points.First, count - first)];
    }
}

/// <summary>A point of a block.</summary>
/// <param name="Name">Full name.</param>
/// <param name="Layer">The block, from 0.</param>
internal readonly record struct FigurePoint(string Name, int Layer);
