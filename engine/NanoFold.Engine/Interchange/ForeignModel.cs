using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange;

/// <summary>A model in the files of another program, open: its configuration as ours, its weights under our names, read on demand.</summary>
public abstract class ForeignModel : IDisposable
{
    /// <summary>The folder or file, as it was named.</summary>
    public abstract string Path { get; }

    /// <summary>What it is, for people: <c>Hugging Face llama</c>, <c>GGUF llama</c>, <c>llama2.c</c>.</summary>
    public abstract string Format { get; }

    /// <summary>What it is as a model of ours, resolved.</summary>
    public abstract ModelConfig Config { get; }

    /// <summary>Its tokenizer, read when it is first asked for; null where there is none.</summary>
    /// <exception cref="UserException">It has one that is damaged or not supported.</exception>
    public abstract Tokenizer? Tokenizer { get; }

    /// <summary>What was not taken over and cannot change the numbers: unknown keys, tensors that are no weights.</summary>
    public abstract IReadOnlyList<string> Ignored { get; }

    /// <summary>Its values under our names.</summary>
    public abstract IWeights Weights { get; }

    /// <summary>The files of its weights.</summary>
    public abstract IReadOnlyList<string> Files { get; }

    /// <summary>What it is as a model of ours for sequences of another length: a window that is longer is none, for example.</summary>
    /// <param name="context">Tokens that a sequence has at most.</param>
    /// <exception cref="UserException">It cannot be.</exception>
    public virtual ModelConfig ConfigFor(int context) => context == Config.Context ? Config : throw UserException.Usage($"--context {context}: {Path} is {Format}, which says {Config.Context}; leave it out");

    /// <summary>SHA-256 of the file of its weights; of several, that of their names and hashes.</summary>
    public string Hash()
    {
        FileSeal[] seals = [.. Files.Order(StringComparer.Ordinal).Select(FileSeal.Of)];
        return seals is [{ } only] ? only.Sha256
            : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(seals.Select(seal => $"{seal.Name} {seal.Sha256}\n")))));
    }

    /// <summary>Whether a path is that of a model of another program, supported or not; nothing but its kind is looked at.</summary>
    public static bool IsForeign(string path) => ForeignFormat.All.Any(format => format.Matches(path));

    /// <summary>Opens it; null where it is ours, or nothing.</summary>
    /// <exception cref="UserException">It is another program's, and damaged or of a kind that is not supported.</exception>
    public static ForeignModel? TryOpen(string path) => ForeignFormat.All.FirstOrDefault(format => format.Matches(path))?.Open(path);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>A configuration that was read, resolved, where a model of ours can be made of it.</summary>
    /// <param name="config">As an architecture read it.</param>
    /// <param name="path">The file that it was read from.</param>
    /// <exception cref="UserException">It cannot; names every problem.</exception>
    protected internal static ModelConfig Checked(ModelConfig config, string path)
    {
        List<ConfigProblem> problems = [];
        try
        {
            ModelConfig resolved = config.Resolve();
            var tree = (JsonObject)ConfigWriter.ToTree(resolved, typeof(ModelConfig))!;
            _ = new ConfigReader(typeof(ModelConfig), problems).Read(tree, new ModelConfig());
            problems = [.. problems.Count == 0 ? resolved.Validate("model") : problems.Select(problem => problem with { Path = $"model.{problem.Path}" })];
            if (problems.Count == 0)
            {
                return resolved;
            }
        }
        catch (Exception e) when (e is ArithmeticException)
        {
            throw new UserException($"{path}: its sizes make no model: {e.Message}", e);
        }

        throw new UserException($"{path}: makes no model here: {string.Join("; ", problems.Select(problem => $"{problem.Path}: {problem.Message}"))}");
    }
}
