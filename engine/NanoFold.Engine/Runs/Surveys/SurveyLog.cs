using System.Globalization;
using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>
/// Writes <c>geometry.jsonl</c>, a line for each figure, <c>geometry.npz</c>, and what else a survey writes. All are written beside under other names and put in place when
/// all is there, so that what was there before stays until then.
/// </summary>
internal sealed class SurveyLog : IDisposable
{
    /// <summary>The lines.</summary>
    public const string LinesFile = "geometry.jsonl";

    /// <summary>The arrays.</summary>
    public const string ArraysFile = "geometry.npz";

    private const string Unfinished = ".unfinished";

    private readonly string _folder;
    private readonly List<string> _paths;
    private readonly HashSet<string> _names = [];
    private readonly bool _isNew;
    private JsonLinesLog? _log;
    private NpzWriter? _npz;

    /// <param name="folder">Where they go; made where it is missing.</param>
    /// <exception cref="UserException">It cannot be written.</exception>
    public SurveyLog(string folder)
    {
        (_folder, _paths) = (folder, [Path.Combine(folder, LinesFile), Path.Combine(folder, ArraysFile)]);
        try
        {
            _isNew = !Directory.Exists(folder);
            Directory.CreateDirectory(folder);
            // What one that was killed left.
            foreach (string left in Directory.GetFiles(folder, $"dump-*{Unfinished}").Append(_paths[0] + Unfinished))
            {
                File.Delete(left);
            }

            _log = JsonLinesLog.Open(_paths[0] + Unfinished);
            _npz = new NpzWriter(PlainFile.CreateNew(_paths[1] + Unfinished));
        }
        catch (Exception exception)
        {
            Dispose();
            if (FileFault.Is(exception))
            {
                throw FileFault.Describe("cannot write", folder, exception);
            }

            throw;
        }
    }

    /// <summary>The files, the lines first, then the arrays.</summary>
    public IReadOnlyList<string> Paths => _paths;

    /// <summary>Lines so far.</summary>
    public long Lines { get; private set; }

    /// <summary>Writes what was measured at a place.</summary>
    public void Add(Measured measured, IReadOnlyList<FigureArray> arrays, SurveyControl control)
    {
        string of = NameOf(control);
        foreach (Figure figure in measured.Figures)
        {
            _log!.Append((measured, figure, of), static (json, line) => GeometryLog.Write(json, line.measured, line.figure, line.of));
            Lines++;
        }

        foreach (FigureArray array in arrays)
        {
            FigurePlace place = measured.Place;
            string name = string.Create(CultureInfo.InvariantCulture, $"{measured.Measure.Kind}/{NameOf(place)}/{measured.Step}{(control == SurveyControl.None ? "" : $"/{of}")}/{array.Name}");
            for (int again = 2; !_names.Add(name); again++)
            {
                // Of two measures of one kind with other settings.
                name = string.Create(CultureInfo.InvariantCulture, $"{measured.Measure.Kind}-{again}{name[name.IndexOf('/')..]}");
            }

            Guard(() => _npz!.Add(name, [.. array.Shape], array.Values));
        }
    }

    /// <summary>Writes another file.</summary>
    /// <param name="name">Within the folder.</param>
    /// <param name="write">Writes what is in it.</param>
    public void Write(string name, Action<Stream> write)
    {
        _paths.Add(Path.Combine(_folder, name));
        Guard(() =>
        {
            using FileStream stream = PlainFile.CreateNew(_paths[^1] + Unfinished);
            write(stream);
        });
    }

    /// <summary>Puts the files in place.</summary>
    public void Finish()
    {
        _log!.Dispose();
        _log = null;
        Guard(() =>
        {
            _npz!.Dispose();
            _npz = null;
            foreach (string path in _paths)
            {
                File.Move(path + Unfinished, path, overwrite: true);
            }
        });
    }

    /// <summary>As lines name it.</summary>
    public static string NameOf(SurveyControl control) => control.ToString().ToLowerInvariant();

    /// <summary>Deletes what was not put in place.</summary>
    public void Dispose()
    {
        bool isOpen = _log is not null || _npz is not null;
        _log?.Dispose();
        _npz?.Dispose();
        (_log, _npz) = (null, null);
        if (isOpen)
        {
            _paths.ForEach(path => File.Delete(path + Unfinished));
            if (_isNew && !Directory.EnumerateFileSystemEntries(_folder).Any())
            {
                Directory.Delete(_folder);
            }
        }
    }

    private static string NameOf(FigurePlace place) => string.Create(
        CultureInfo.InvariantCulture,
        $"{place.Point}{(place.Other is { } other ? $"+{other}" : "")}{(place.Head is { } head ? $".head{head}" : "")}{(place.Stream is { } stream ? $".stream{stream}" : "")}");

    private void Guard(Action write)
    {
        try
        {
            write();
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot write", _folder, exception);
        }
    }
}
