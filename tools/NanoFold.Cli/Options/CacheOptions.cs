using System.CommandLine;
using NanoFold.Engine;
using NanoFold.Engine.Model;
using NanoFold.Kernels;

namespace NanoFold.Cli.Options;

/// <summary>The option that says in what keys and values are kept while decoding (<see cref="Backend.CacheType"/>).</summary>
internal sealed class CacheOptions
{
    private const string Name = "--kv-cache";

    private static readonly (string Name, DType Type)[] s_known = [("f32", DType.Float32), ("bf16", DType.BFloat16), ("f16", DType.Float16)];

    private readonly Option<string?> _one;

    public CacheOptions(VerbCommand command) => _one = command.Text(
        Name,
        string.Join('|', s_known.Select(known => known.Name)),
        "In what keys and values of the tokens before are kept: bf16 and f16 take half the memory, read faster where many are kept, and are less exact. f32 if not given");

    /// <summary>The type.</summary>
    /// <exception cref="UserException">It is not known.</exception>
    public DType Type(Invocation invocation)
    {
        string name = invocation.Get(_one) ?? s_known[0].Name;
        return s_known.Any(known => known.Name == name)
            ? s_known.First(known => known.Name == name).Type
            : throw UserException.Usage($"{Name}: expected {string.Join(", ", s_known.Select(known => known.Name))}, not '{name}'");
    }

    /// <summary>Makes a backend keep them so, or throws where that would change nothing.</summary>
    /// <exception cref="UserException">The backend does not, or the model keeps none.</exception>
    public static void Apply(DType type, Backend backend, Transformer model, string path)
    {
        if (type == backend.CacheType)
        {
            return;
        }

        if (!backend.CanCacheIn(type))
        {
            throw new UserException($"{Name}: {backend.Name} keeps keys and values in f32 only; leave it out, or use --device cpu");
        }

        if (!model.RoundsCache)
        {
            throw new UserException($"{Name}: {path} has no layers that keep keys and values which can be rounded; leave it out");
        }

        backend.CacheType = type;
    }
}
