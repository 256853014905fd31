using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>Running sums of log decays as kernels read them, see <see cref="AttentionArgs.Decay"/>.</summary>
internal struct DecayView
{
    public ArrayView<float> Sums;
    public int Has, Length;

    /// <param name="context">Of the device.</param>
    /// <param name="sums">[B, H, Length], or none.</param>
    public static DecayView Of(GpuContext context, in View sums)
        => new() { Sums = context.View<float>(sums), Has = sums.IsNone ? 0 : 1, Length = sums.IsNone ? 1 : sums.Layout[2] };

    /// <summary>The sum at a place of a head, numbered over all rows; 0 where there are none.</summary>
    public readonly float At(long pair, int place) => Has != 0 ? Sums[(pair * Length) + IntrinsicMath.Min(place, Length - 1)] : 0;
}

/// <summary>Scores without a value, see <see cref="AttentionArgs.SinkLogits"/>.</summary>
internal struct SinkView<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Scores;
    public int Has;

    public static SinkView<T> Of(GpuContext context, in View scores) => new() { Scores = context.View<T>(scores), Has = scores.IsNone ? 0 : 1 };

    /// <summary>That of a head, or <paramref name="none"/>.</summary>
    public readonly float Of(int head, float none)
    {
        float score = none;
        if (Has != 0)
        {
            score = T.Read(Scores[head]);
        }

        return score;
    }
}

/// <summary>Scores that level off, see <see cref="AttentionArgs.Cap"/>.</summary>
internal static class ScoreCap
{
    /// <summary>cap · tanh(score / cap), or the score itself where the cap is 0.</summary>
    public static float Of(float score, float cap) => cap > 0 ? cap - 2 * cap / (XMath.Exp(2 * score / cap) + 1) : score;

    /// <summary>The slope where that is what a score became.</summary>
    public static float Slope(float capped, float cap) => cap > 0 ? 1 - capped / cap * (capped / cap) : 1;
}
