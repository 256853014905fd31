using System.CommandLine;
using NanoFold.Engine;
using NanoFold.Engine.Model;
using NanoFold.Kernels;

namespace NanoFold.Cli.Options;

/// <summary>The option that says what activations are where they are multiplied by weights of blocks (<see cref="Backend.RoundsActivations"/>).</summary>
internal sealed class ActivationOptions
{
    /// <summary>As it is given.</summary>
    public const string Name = "--activations";

    /// <summary>What it may be: single precision, or 8 bits.</summary>
    public const string Float = "f32", Int8 = "int8";

    private readonly Option<string?> _one;

    public ActivationOptions(VerbCommand command) => _one = command.Text(
        Name,
        string.Join('|', Known),
        "What activations are in products with weights of Q8_0, Q4_0 and Q4_1: int8 rounds them to 8 bits in blocks of 32, which writes faster and is less exact. f32 if not given");

    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Known { get; } = [Float, Int8];

    /// <summary>Whether they are to be rounded.</summary>
    /// <exception cref="UserException">It is not known.</exception>
    public bool Rounds(Invocation invocation) => invocation.Get(_one) switch
    {
        null or Float => false,
        Int8 => true,
        { } other => throw UserException.Usage($"{Name}: expected {string.Join(", ", Known)}, not '{other}'"),
    };

    /// <summary>Whether a model has weights for which it makes a difference.</summary>
    public static bool Matter(Transformer model) => model.Store.Parameters.Any(parameter => parameter.Type.IsBlocks());

    /// <summary>Makes a backend round them, or throws where that would change nothing.</summary>
    /// <exception cref="UserException">The backend does not, or the model has no such weights.</exception>
    public static void Round(Backend backend, Transformer model, string path)
    {
        if (!backend.CanRoundActivations)
        {
            throw new UserException($"{Name}: {backend.Name} computes with activations as they are; leave it out, or use --device cpu");
        }

        if (!Matter(model))
        {
            throw new UserException($"{Name}: {path} has no matrices of Q8_0, Q4_0 or Q4_1 in memory; leave it out, or add --weights q8_0");
        }

        backend.RoundsActivations = true;
    }
}
