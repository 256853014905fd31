using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A pseudo-random stream: the bits of a shift register, x_t = x_(t − n) xor x_(t − k), which look like chance and are none. Each row begins in a state of its own; the first n
/// bits are chance, the others follow. The least loss is known: <c>sourceLoss</c>; <c>excess</c> is the loss above that.
/// </summary>
public sealed record PseudoRandomConfig : SourceTaskConfig
{
    public static PseudoRandomConfig Tiny => new() { Register = 3, ValidationRows = 6 };

    /// <summary>
    /// n, the bits of the register: 2–7, 9–11, 15, 17, 18, 20–23, 25, 28, 29 or 31. All of its 2^n − 1 states but zero follow each other: the 127 of 7 bits may be learned by heart
    /// as well as by the rule; those of 17 and more may not, and a small model finds nothing for long.
    /// </summary>
    [Bounds(2, 31)]
    public int Register { get; init; } = 7;

    /// <inheritdoc/>
    public override int Vocab => 2;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
        => ShiftRegister.TapOf(Register) == 0
            ? [new ConfigProblem($"{path}.register", $"{Register} bits have no two places that meet all states; known: {string.Join(", ", ShiftRegister.Lengths)}"), .. base.Validate(model, path)]
            : base.Validate(model, path);

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new PseudoRandom(this, context);
}

internal sealed class PseudoRandom(PseudoRandomConfig config, TaskContext context) : SourceTask(config, context, new ShiftRegister(config.Register))
{
    public override IEnumerable<string> Describe() =>
        [$"a pseudo-random stream: x_t = x_(t − {config.Register}) xor x_(t − {ShiftRegister.TapOf(config.Register)}), after {config.Register} bits of chance"];
}

/// <summary>Bits of a linear shift register of the longest period.</summary>
internal sealed class ShiftRegister(int length) : Source
{
    // n and k of x^n + x^k + 1 that are primitive: found by stepping through all states.
    private static readonly (int Length, int Tap)[] s_taps =
    [
        (2, 1), (3, 1), (4, 1), (5, 2), (6, 1), (7, 1), (9, 4), (10, 3), (11, 2), (15, 1), (17, 3), (18, 7), (20, 3), (21, 2), (22, 1), (23, 5), (25, 3), (28, 3), (29, 2), (31, 3),
    ];

    private readonly int _tap = TapOf(length);

    public static IEnumerable<int> Lengths => s_taps.Select(tap => tap.Length);

    public override int Symbols => 2;

    /// <summary>k of a register, or 0 where none is known.</summary>
    public static int TapOf(int length) => Array.Find(s_taps, tap => tap.Length == length).Tap;

    public override void Draw(ref RowDraws draws, Span<int> symbols)
    {
        int first = 1 + draws.Below((int)((1L << length) - 1));
        for (int t = 0; t < symbols.Length; t++)
        {
            symbols[t] = t < length ? (first >> t) & 1 : symbols[t - length] ^ symbols[t - _tap];
        }
    }

    // A beginning of t bits that are not all 0 has 2^(n − t) states; one that is has one less, for no state is 0.
    public override double Nats(ReadOnlySpan<int> symbols)
    {
        for (int t = length; t < symbols.Length; t++)
        {
            if (symbols[t] != (symbols[t - length] ^ symbols[t - _tap]))
            {
                return double.PositiveInfinity;
            }
        }

        int known = Math.Min(length, symbols.Length);
        return Math.Log(States(symbols[..1])) - Math.Log(States(symbols[..known]));

        double States(ReadOnlySpan<int> bits) => Math.Pow(2, length - bits.Length) - (bits.Contains(1) ? 0 : 1);
    }
}
