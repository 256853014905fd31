using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Autograd;

/// <summary>What a model reads in one recording: by it the places are told apart that a reader wants or an editor edits.</summary>
internal sealed record TapInput
{
    /// <summary>B.</summary>
    public required int Batch { get; init; }

    /// <summary>T; while decoding the new tokens of a run, padded ones among them.</summary>
    public required int Time { get; init; }

    /// <summary>Int32 [B, T], or none of a model that reads features.</summary>
    public Tensor Tokens { get; init; }

    /// <summary>Document of each place, Int32 [B, T], or none where documents are not told apart.</summary>
    public Tensor Documents { get; init; }

    /// <summary>Decoding: position of each row's first token, Int32 [B]; otherwise none.</summary>
    public Tensor Positions { get; init; }

    /// <summary>Decoding: the places that go on to the head, Int32 [B], b · T + t; none for all.</summary>
    public Tensor Kept { get; init; }

    /// <summary>What has been recorded of places that several points ask for, by who asks.</summary>
    public Dictionary<ITapFilter, Tensor> Chosen { get; } = [];

    /// <summary>Whether a value [B, 1, ..] is of the places that go on to the head, one of each row.</summary>
    public bool IsOfKept(Tensor value) => !Kept.IsNone && Time > 1 && value.Layout.Rank > 2 && value[0] == Batch && value[1] == 1;

    /// <summary>Whether what is before the first place of a run is in a cache.</summary>
    public bool IsDecoding => !Positions.IsNone;
}
