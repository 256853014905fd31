namespace NanoFold.Engine.Training;

/// <summary>Loss over a fixed text.</summary>
/// <param name="Loss">Nats per token.</param>
/// <param name="BitsPerByte">Σ nats / (ln 2 · bytes of the target tokens): a code length, so it compares across tokenizers.</param>
/// <param name="Tokens">Targets.</param>
/// <param name="Bytes">Bytes of the targets.</param>
public readonly record struct Evaluation(double Loss, double BitsPerByte, long Tokens, long Bytes)
{
    public double Perplexity => Math.Exp(Loss);
}
