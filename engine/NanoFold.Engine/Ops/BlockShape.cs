namespace NanoFold.Engine.Ops;

/// <summary>Sizes of one block of a model over one batch: the shapes at which an op's speed is of interest.</summary>
/// <param name="Name">The model's name, part of the cases' names.</param>
/// <param name="Batch">B.</param>
/// <param name="Time">T.</param>
/// <param name="Width">C.</param>
/// <param name="Heads">H, even.</param>
/// <param name="HeadDim">D.</param>
/// <param name="Hidden">F.</param>
/// <param name="Vocab">V.</param>
public sealed record BlockShape(string Name, int Batch, int Time, int Width, int Heads, int HeadDim, int Hidden, int Vocab)
{
    /// <summary>E of the cases with experts.</summary>
    public const int Experts = 8;

    /// <summary>Experts of a token in these cases.</summary>
    public const int ActiveExperts = 2;

    /// <summary>B · T.</summary>
    public int Tokens => Batch * Time;
}
