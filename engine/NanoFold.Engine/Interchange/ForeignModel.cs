using System.Security.Cryptography;
using System.Text;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange;

/// <summary>A model in the files of another program, open: its configuration as ours, its weights under our names, read on demand.</summary>
public sealed class ForeignModel : IDisposable
{
    private readonly ITensorFiles _files;
    private readonly PublishedKeys _keys;
    private readonly Lazy<Tokenizer?> _tokenizer;

    /// <param name="files">Its weights; owned by this from now on.</param>
    /// <param name="keys">Its configuration.</param>
    /// <param name="tokenizer">Reads its tokenizer.</param>
    internal ForeignModel(ITensorFiles files, PublishedKeys keys, Func<Tokenizer?> tokenizer) => (_files, _keys, _tokenizer) = (files, keys, new(tokenizer));

    /// <summary>The folder or file, as it was named.</summary>
    public required string Path { get; init; }

    /// <summary>What it is, for people: <c>Hugging Face llama</c>, <c>GGUF llama</c>, <c>llama2.c</c>.</summary>
    public required string Format { get; init; }

    /// <summary>What it is as a model of ours, resolved.</summary>
    public required ModelConfig Config { get; init; }

    /// <summary>Its tokenizer, read when it is first asked for; null where there is none.</summary>
    /// <exception cref="UserException">It has one that is damaged or not supported.</exception>
    public Tokenizer? Tokenizer => _tokenizer.Value;

    /// <summary>The text of its chat template; null where it has none.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>What was not taken over and cannot change the numbers: unknown keys, tensors that are no weights.</summary>
    public required IReadOnlyList<string> Ignored { get; init; }

    /// <summary>Its values under our names.</summary>
    public required IWeights Weights { get; init; }

    /// <summary>The files of its weights.</summary>
    public IReadOnlyList<string> Files => _files.Paths;

    /// <summary>The kind of model that it is by the name of transformers, its <c>model_type</c>.</summary>
    public string Architecture => _keys.Read().Architecture.Name;

    /// <summary>What it is as a model of ours for sequences of another length: a window that is longer is none, for example.</summary>
    /// <param name="context">Tokens that a sequence has at most.</param>
    /// <exception cref="UserException">It cannot be.</exception>
    public ModelConfig ConfigFor(int context) => _keys.Read(context).Config;

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
    public void Dispose() => _files.Dispose();
}
