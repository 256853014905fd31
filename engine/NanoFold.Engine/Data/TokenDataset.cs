using NanoFold.Engine.Text;

namespace NanoFold.Engine.Data;

/// <summary>A corpus as tokens: what to train on, what to validate with, and the tokenizer between. Made by <see cref="TokenCache"/>.</summary>
public sealed class TokenDataset : IDisposable
{
    internal const string TrainFile = "train.tokens";
    internal const string ValidationFile = "validation.tokens";

    private TokenDataset(string name, string contentHash, bool fromCache, Tokenizer tokenizer, TokenShard train, TokenShard validation, HeldBack heldBack)
    {
        Name = name;
        ContentHash = contentHash;
        FromCache = fromCache;
        Tokenizer = tokenizer;
        Train = train;
        Validation = validation;
        HeldBack = heldBack;
    }

    /// <summary>The corpus' name, for messages.</summary>
    public string Name { get; }

    /// <summary>The hash of the text (SHA-256, hexadecimal), of both texts where validation has its own.</summary>
    public string ContentHash { get; }

    /// <summary>True where it was found in the cache rather than made.</summary>
    public bool FromCache { get; }

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Tokens to train on.</summary>
    public TokenShard Train { get; }

    /// <summary>Tokens to validate with; none where the share is 0.</summary>
    public TokenShard Validation { get; }

    /// <summary>What <see cref="Validation"/> is of the corpus; where it has a text of its own, that.</summary>
    public HeldBack HeldBack { get; }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        Train.Dispose();
        Validation.Dispose();
    }

    /// <summary>Opens what <see cref="DatasetBuilder"/> wrote into a folder.</summary>
    /// <exception cref="UserException">Something in it is missing or damaged.</exception>
    internal static TokenDataset Open(string folder, string name, string contentHash, bool fromCache)
    {
        Tokenizer tokenizer = Tokenizer.Load(folder);
        TokenShard? train = null;
        TokenShard? validation = null;
        try
        {
            train = new TokenShard(Path.Combine(folder, TrainFile));
            validation = new TokenShard(Path.Combine(folder, ValidationFile));
            if (train.Vocab != tokenizer.Vocab || validation.Vocab != tokenizer.Vocab)
            {
                throw new UserException($"{folder}: is damaged: its tokens are not its tokenizer's");
            }

            return new TokenDataset(name, contentHash, fromCache, tokenizer, train, validation, HeldBack.Read(folder));
        }
        catch
        {
            train?.Dispose();
            validation?.Dispose();
            throw;
        }
    }
}
