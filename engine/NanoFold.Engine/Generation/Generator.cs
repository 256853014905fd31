using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Generation.Batching;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Generation;

/// <summary>
/// Continues prompts. A prompt begins with BOS where the tokenizer has it; an empty one has a newline otherwise. Of a prompt longer than the
/// context the model sees the last part. Where the context is full while generating, the model goes on with the last half of it, as if that
/// were the beginning of the text (see <see cref="Decoder"/>); one whose state serves a text of any length goes on with all of it. The first
/// <see cref="GenerationConfig.Keep"/> tokens stay in either case.
/// <para>
/// A sample follows to the bit from its prompt, the seed and its number among equal prompts. On a device that keeps rows apart
/// (<see cref="Kernels.Backend.KeepsSequencesApart"/>) up to eight are written side by side. On others products of several rows at once add up in another order
/// than those of one, so that a text would depend on what stands beside it: there they are written one after the other, and so they are with <see cref="Taps"/>.
/// </para>
/// </summary>
/// <remarks>For one thread at a time. It may be kept while the model is trained further.</remarks>
public sealed class Generator : IDisposable
{
    private readonly Transformer _model;
    private readonly Tokenizer _tokenizer;
    private readonly SharedArena? _arena;
    private readonly float[] _logits;
    private Decoder? _decoder;
    private SampleBatch? _batch;
    private TapSet? _taps;

    /// <param name="model">In float32; not disposed here.</param>
    /// <param name="tokenizer">The one that the model was trained with. Ids beyond its vocabulary are never sampled.</param>
    /// <param name="arena">Memory shared with what does not run while generating; null for its own.</param>
    /// <exception cref="UserException">The tokenizer has tokens that the model does not know.</exception>
    public Generator(Transformer model, Tokenizer tokenizer, SharedArena? arena = null)
    {
        RequireFit(model, tokenizer);
        _model = model;
        _tokenizer = tokenizer;
        _arena = arena;
        _logits = new float[model.Config.Vocab];
    }

    /// <summary>What a prompt is for the model: with what stands before every prompt; a newline where that would be nothing at all.</summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="prompt">May be empty.</param>
    /// <param name="specials">Whether the name of a special token is that token, and not text.</param>
    public static int[] PromptTokens(Tokenizer tokenizer, string prompt, bool specials) =>
        tokenizer.EncodePrompt(prompt, specials) is { Length: > 0 } tokens ? tokens : tokenizer.Encode("\n");

    /// <summary>Throws where a model cannot write with a tokenizer.</summary>
    internal static void RequireFit(Transformer model, Tokenizer tokenizer)
    {
        if (tokenizer.Vocab > model.Config.Vocab)
        {
            throw new UserException($"tokenizer: has {tokenizer.Vocab} tokens, but the model knows {model.Config.Vocab}; use the tokenizer that the model was trained with");
        }
    }

    /// <summary>Throws where <see cref="Generate"/> would, for these options.</summary>
    /// <exception cref="ConfigException">Options are out of their ranges.</exception>
    /// <exception cref="UserException">A point of <see cref="Taps"/> is not there, or cannot be edited while decoding.</exception>
    public void Require(GenerationConfig options)
    {
        OptionCheck.Validate(options, _model.Config.Context);
        if (_taps is not null)
        {
            Decoder.Prepare();
        }
    }

    /// <summary>Generates one sample per prompt, in their order.</summary>
    /// <param name="prompts">At least one; may be empty strings.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="seed">Of the draws.</param>
    /// <param name="onText">
    /// Told of each sample's new text as it comes, in whole characters and never beyond a stop string, with the index of the prompt. Its pieces make
    /// up the sample's text.
    /// </param>
    /// <param name="cancellationToken">Looked at before every run of the model, or step of several samples.</param>
    /// <exception cref="ConfigException">Options are out of their ranges.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the text so far went to <paramref name="onText"/>.</exception>
    public GenerationResult Generate(
        IReadOnlyList<string> prompts,
        GenerationConfig options,
        ulong seed = 0,
        Action<int, string>? onText = null,
        CancellationToken cancellationToken = default)
    {
        if (prompts.Count == 0)
        {
            throw new ArgumentException("generate: no prompts; give at least one, which may be empty");
        }

        Require(options);
        (string Text, int[] Tokens, int Number)[] numbered = Numbered(prompts);
        if (prompts.Count > 1 && _taps is null && _arena is null && _model.Backend.KeepsSequencesApart)
        {
            _batch ??= new SampleBatch(_model, _tokenizer);
            return _batch.Write(numbered, options, seed, onText, cancellationToken);
        }

        var sampler = new Sampler(options, _tokenizer.Vocab, seed);
        var samples = new GeneratedSample[prompts.Count];
        var clock = new DecodeClock();
        for (int i = 0; i < samples.Length; i++)
        {
            var row = new SampleRow(numbered[i].Text, numbered[i].Number, numbered[i].Tokens, _tokenizer, options);
            int index = i;
            Write(row, options, sampler, clock, onText is null ? null : text => onText(index, text), cancellationToken);
            samples[i] = row.ToSample();
        }

        return new GenerationResult(samples, clock.TokensPerSecond);
    }

    /// <summary>Whether the name of a special token in a prompt is that token, and not text.</summary>
    public bool ParseSpecial { get; set; }

    /// <summary>Readers and editors of the model while it writes, as in <see cref="Decoder.Taps"/>: an edit shows in the text.</summary>
    public TapSet? Taps
    {
        get => _taps;
        set
        {
            _taps = value;
            if (_decoder is not null)
            {
                _decoder.Taps = value;
            }
        }
    }

    public void Dispose()
    {
        _decoder?.Dispose();
        _batch?.Dispose();
    }

    // Each with its tokens, and how many equal ones stand before it.
    private (string Text, int[] Tokens, int Number)[] Numbered(IReadOnlyList<string> prompts)
    {
        var numbers = new Dictionary<string, int>();
        return [.. prompts.Select(prompt =>
        {
            int number = numbers[prompt] = numbers.TryGetValue(prompt, out int before) ? before + 1 : 0;
            return (prompt, PromptTokens(_tokenizer, prompt, ParseSpecial), number);
        })];
    }

    private Decoder Decoder => _decoder ??= new Decoder(_model, batch: 1, _arena) { Taps = _taps };

    private void Write(SampleRow row, GenerationConfig options, Sampler sampler, DecodeClock clock, Action<string>? onText, CancellationToken cancellationToken)
    {
        Decoder decoder = Decoder;
        row.DroppedPromptTokens = decoder.Begin(0, row.Tokens, options.Keep);
        clock.Begin();
        while (row.Finish is null)
        {
            cancellationToken.ThrowIfCancellationRequested();
            decoder.Run();
            if (!decoder.HasLogits(0))
            {
                continue;
            }

            decoder.ReadLogits(0, _logits);
            int token = row.Draw(sampler, _logits, out string text);
            if (text.Length > 0)
            {
                onText?.Invoke(text);
            }

            clock.Add();

            if (row.Finish is null)
            {
                decoder.Append(0, token);
            }
        }

        decoder.End(0);
    }
}
