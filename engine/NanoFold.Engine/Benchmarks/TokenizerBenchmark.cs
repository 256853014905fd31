using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Times a tokenizer on a text, on one thread.</summary>
/// <param name="FirstBytesPerSecond">Text that is encoded by a tokenizer that was just loaded and has seen nothing.</param>
/// <param name="EncodeBytesPerSecond">The same text again, by the median round: pieces that came before are remembered.</param>
/// <param name="DecodeBytesPerSecond">Text that its tokens are turned back into, by the median round.</param>
/// <param name="Tokens">Of the text.</param>
/// <param name="Bytes">Of the text.</param>
public sealed record TokenizerBenchmark(double FirstBytesPerSecond, double EncodeBytesPerSecond, double DecodeBytesPerSecond, int Tokens, int Bytes)
{
    private const int Rounds = 7;

    /// <param name="load">Makes the tokenizer anew.</param>
    /// <param name="text">UTF-8, not empty.</param>
    public static TokenizerBenchmark Run(Func<Tokenizer> load, ReadOnlyMemory<byte> text)
    {
        // The first one is for the compiler.
        List<double> first = [], encodes = [], decodes = [];
        var ids = new List<int>(text.Length);
        Tokenizer tokenizer = load();
        Encode(tokenizer, text, ids);
        int[] tokens = [.. ids];
        for (int round = 0; round < Rounds; round++)
        {
            Tokenizer fresh = load();
            first.Add(Encode(fresh, text, ids));
            encodes.Add(Encode(tokenizer, text, ids));
            long started = Stopwatch.GetTimestamp();
            tokenizer.DecodeText(tokens);
            decodes.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return new TokenizerBenchmark(
            text.Length / SampleStatistics.Median(first), text.Length / SampleStatistics.Median(encodes), text.Length / SampleStatistics.Median(decodes), tokens.Length, text.Length);
    }

    private static double Encode(Tokenizer tokenizer, ReadOnlyMemory<byte> text, List<int> ids)
    {
        ids.Clear();
        long started = Stopwatch.GetTimestamp();
        tokenizer.Encode(text.Span, ids);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
