namespace NanoFold.Engine.Runs;

/// <summary>A run cannot go on: what it computes is not finite, or beyond any perplexity.</summary>
public sealed class DivergedException(string message) : UserException(message);
