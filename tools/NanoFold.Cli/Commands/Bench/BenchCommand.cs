using NanoFold.Cli.Commands.Bench.Processors;

using NanoFold.Cli.Commands.Bench.OnGpu;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench</c>: figures for one part.</summary>
internal static class BenchCommand
{
    private static readonly Verb[] s_parts =
    [
        new("step", "Time of a training step, on random tokens", BenchStep.Build),
        new("gemm", "Rate of matrix products: 1024³ and those of a preset's linear layers, or one given shape", BenchGemm.Build),
        new("attention", "Forward and backward pass of the fused attention kernel over contexts; with --mixers of every kind of sequence mixer", BenchAttention.Build),
        new("decode", "Rate of reading prompts and of writing token by token, with random weights; one sequence without --batch", BenchDecode.Build),
        new("weights", "Loading a model and writing with it, its weights in memory as single precision, 16 bits or blocks: a row of each", BenchWeights.Build),
        new("streams", "Rate of writing several texts side by side, each to the bit as it is alone, as serve does", BenchStreams.Build),
        new("cpu", "Everything on this processor, by instruction set and threads: products, steps, attention, writing; what its threads wait for and what more cores would give", BenchCpu.Build),
        new("gpu", "Everything on a GPU: products, attention, steps, each kernel's share of what the device can reach; beside PyTorch where it is there", BenchGpu.Build),
        new("tokenizer", "Rate of encoding and decoding text, by a tokenizer that has seen nothing and by one that has", BenchTokenizer.Build),
        new("kernel", "One kernel: right first, then its time, against the machine and against an earlier version", BenchKernel.Build),
    ];

    public static string Description => $"Figures for one part: {string.Join(", ", Parts)}";

    /// <summary>Their names.</summary>
    public static IEnumerable<string> Parts => s_parts.Select(part => part.Name);

    public static void Build(VerbCommand command)
    {
        foreach (Verb part in s_parts)
        {
            command.Add(part.ToCommand(complete: true));
        }
    }
}
