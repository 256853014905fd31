using NanoFold.Kernels.Fused.Attention;

namespace NanoFold.Kernels.Fused;

/// <summary>
/// Attention that never holds T × T: y = softmax(scale · q kᵀ) v over the visible keys (FlashAttention's online softmax, arXiv 2205.14135).
/// Query head h reads key/value head h / (H / G).
/// </summary>
public interface IFusedAttention
{
    void Forward(in AttentionArgs args);

    /// <summary>dq, dk, dv from dy, y and the saved log-sum-exp; a gradient whose view is none is left out.</summary>
    void Backward(in AttentionArgs args, in AttentionGradients gradients);

    /// <summary>Bytes of scratch that <see cref="Backward"/> needs for these shapes.</summary>
    long BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim);
}

/// <summary>Rank-4 views with any strides whose last one is 1.</summary>
public readonly ref struct AttentionArgs
{
    /// <summary>[B, T, H, D].</summary>
    public required View Q { get; init; }

    /// <summary>[B, T, G, D].</summary>
    public required View K { get; init; }

    /// <summary>[B, T, G, D].</summary>
    public required View V { get; init; }

    /// <summary>[B, T, H, D].</summary>
    public required View Y { get; init; }

    /// <summary>Log of the sum of exponentials of each row's scaled scores, [B, H, T], contiguous.</summary>
    public required View LogSumExp { get; init; }

    public required double Scale { get; init; }

    public required Visible Visible { get; init; }
}

public readonly ref struct AttentionGradients
{
    public required View DY { get; init; }

    public required View DQ { get; init; }

    public required View DK { get; init; }

    public required View DV { get; init; }

    public bool AccumulateQ { get; init; }

    public bool AccumulateK { get; init; }

    public bool AccumulateV { get; init; }

    /// <summary>Bytes as asked for, as a Float32 view; none where 0 bytes were asked for.</summary>
    public required View Scratch { get; init; }
}
