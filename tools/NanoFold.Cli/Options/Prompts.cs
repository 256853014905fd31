using System.CommandLine;
using System.Text;
using NanoFold.Engine;

namespace NanoFold.Cli.Options;

/// <summary>The options that give a verb its prompts: as they are typed, out of files, from standard input.</summary>
internal sealed class Prompts
{
    /// <summary>The option that makes special tokens of their names.</summary>
    public const string ParseSpecial = "--parse-special";

    /// <summary>What it does.</summary>
    public const string ParseSpecialHelp = "Take the name of a special token in a prompt, such as <|im_start|>, as that token; it is text otherwise";

    private const string StandardInput = "-";
    private const int MostBytes = 256 << 20;

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Option<string[]> _texts;
    private readonly Option<string[]> _files;
    private readonly Option<bool> _escapes;
    private readonly Option<bool> _special;

    public Prompts(VerbCommand command)
    {
        _texts = command.Texts("--prompt", "TEXT", "What to continue, - for standard input; may be given several times");
        _files = command.Texts("--prompt-file", "FILE", "A file of UTF-8 text to continue, without its last line break; may be given several times");
        _escapes = command.Flag("-e", $"Understand escapes in --prompt and --stop: {Escapes.Known}");
        _special = command.Flag(ParseSpecial, ParseSpecialHelp);
    }

    /// <summary>All of them, those of files last; an empty one where none is given.</summary>
    /// <exception cref="UserException">A file cannot be read or is no text, or an escape is wrong.</exception>
    public string[] All(Invocation invocation)
    {
        string[] texts = invocation.Get(_texts) ?? [], files = invocation.Get(_files) ?? [];
        if (texts.Concat(files).Count(name => name == StandardInput) > 1)
        {
            throw UserException.Usage("standard input can be read once; give - for one prompt only");
        }

        string[] all =
        [
            .. texts.Select(text => text == StandardInput ? ReadFile(text, _files.Name) : Unescaped(invocation, text, _texts.Name)),
            .. files.Select(file => ReadFile(file, _files.Name)),
        ];
        return all.Length > 0 ? all : [""];
    }

    /// <summary>Whether names of special tokens are these tokens.</summary>
    public bool Specials(Invocation invocation) => invocation.Get(_special);

    /// <summary>A text of the command line, with its escapes understood where <c>-e</c> asks for that.</summary>
    public string Unescaped(Invocation invocation, string text, string option) => invocation.Get(_escapes) ? Escapes.Decode(text, option) : text;

    /// <summary>The text of a file, or of standard input, without its last line break.</summary>
    /// <param name="path">The file, or <c>-</c>.</param>
    /// <param name="option">Where it was given, for messages.</param>
    /// <exception cref="UserException">It cannot be read or is no text.</exception>
    public static string ReadFile(string path, string option)
    {
        if (path.Length == 0)
        {
            throw UserException.Usage($"{option}: is empty; expected FILE");
        }

        if (Directory.Exists(path))
        {
            throw new UserException($"{option} {path}: is a folder; name a file");
        }

        string name = path == StandardInput ? "standard input" : path;
        try
        {
            using Stream stream = path == StandardInput ? Console.OpenStandardInput() : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            string text = Decode(ReadAll(stream, name), name);
            return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"cannot read {name}: {e.Message}", e);
        }
    }

    private static byte[] ReadAll(Stream stream, string name)
    {
        using var bytes = new MemoryStream();
        var part = new byte[1 << 16];
        for (int read; (read = stream.Read(part)) > 0;)
        {
            bytes.Write(part, 0, read);
            if (bytes.Length > MostBytes)
            {
                throw new UserException($"{name}: is longer than {Display.Bytes(MostBytes)}; a prompt is not");
            }
        }

        return bytes.ToArray();
    }

    private static string Decode(byte[] bytes, string name)
    {
        ReadOnlySpan<byte> text = bytes;
        try
        {
            return text switch
            {
                [0xEF, 0xBB, 0xBF, .. var rest] => s_strict.GetString(rest),
                [0xFF, 0xFE, .. var rest] => new UnicodeEncoding(bigEndian: false, byteOrderMark: false, throwOnInvalidBytes: true).GetString(rest),
                [0xFE, 0xFF, .. var rest] => new UnicodeEncoding(bigEndian: true, byteOrderMark: false, throwOnInvalidBytes: true).GetString(rest),
                _ => s_strict.GetString(text),
            };
        }
        catch (DecoderFallbackException e)
        {
            throw new UserException($"{name}: is not UTF-8 text (at byte {e.Index}); convert it first", e);
        }
    }
}
