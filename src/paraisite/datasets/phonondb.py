"""Archives of phononDB (A. Togo, CC BY 4.0): forces of supercells -> harmonic properties of the phonons.

An archive `….tar.lzma` holds the unit cell (`POSCAR-unitcell`), `FORCE_SETS`, perhaps Born charges (`BORN`), and the
settings of phonopy (`phonopy.conf`). It is read in memory, whatever paths it names, and within limits.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.crystals.check import check
from paraisite.crystals.crystal import Crystal
from paraisite.datasets.table import DatasetError

if TYPE_CHECKING:
    from phonopy import Phonopy

CELL, FORCES, BORN, SETTINGS = "POSCAR-unitcell", "FORCE_SETS", "BORN", "phonopy.conf"
MAX_PACKED, MAX_UNPACKED, MAX_MEMORY = 32 << 20, 128 << 20, 256 << 20
"""Bytes of an archive, of what it unpacks to, and of memory for that; those of 2018 stay far below."""
MAX_SUPERCELL = 2000
"""Sites of a supercell."""

TEMPERATURE = 300.0
LOWEST = 0.05
"""THz: modes below are acoustic ones at the zone centre, or imaginary (whose frequencies are written negative)."""
COULOMB = 14.399652
"""e²/(4 π ε0) in eV Å: factor of the non-analytical term where `BORN` names none."""
PLANCK, BOLTZMANN = 6.62607015e-34, 1.380649e-23
"""J s and J/K, exact since 2019 (SI)."""
BINS = 60
SMALL_Q = 0.01
"""1/Å (without 2 π): distance from the zone centre at which the velocities of sound are taken."""
DIRECTIONS = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)], dtype=np.float64)


def read_archive(archive: bytes, *, id: str = "", source: str = "") -> tuple[Crystal, dict[str, float]]:
    """Compute the harmonic properties of one crystal of phononDB; 0.5 to 2 s.

    Parameters
    ----------
    archive : bytes
        A packed archive, from anywhere.
    id, source : str
        Of the crystal.

    Returns
    -------
    crystal : Crystal
        The unit cell as calculated.
    properties : dict of str to float
        Columns of the table that `harmonic.harmonic_targets` reads, at 300 K; see `properties_of`.

    Raises
    ------
    DatasetError
        If phonopy is not installed, or the archive is too large or not as documented.
    """
    try:
        import phonopy  # noqa: F401
    except ImportError:
        raise DatasetError("archives of phononDB need the package phonopy: pip install 'paraisite[phonons]'") from None
    try:
        texts = _members(archive)
        phonons = _phonons(texts)
        cell = phonons.unitcell
        crystal = Crystal(
            np.array(cell.cell), np.array(cell.numbers, dtype=np.int64), np.array(cell.scaled_positions), id, source
        )
        return crystal, properties_of(phonons)
    except Exception as error:  # phonopy lets through whatever its parts raise on a file that is not as documented
        shown = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise DatasetError(f"{source or id or 'archive'}: {shown[:200]}; fetch the archive again") from error


def _members(archive: bytes) -> dict[str, str]:
    """Unpack the wanted members of an archive in memory."""
    if len(archive) > MAX_PACKED:
        raise ValueError(f"more than {MAX_PACKED >> 20} MiB")
    unpacker = lzma.LZMADecompressor(memlimit=MAX_MEMORY)
    content = unpacker.decompress(archive, MAX_UNPACKED + 1)
    if len(content) > MAX_UNPACKED:
        raise ValueError(f"unpacks to more than {MAX_UNPACKED >> 20} MiB")
    if not unpacker.eof:
        raise ValueError("the archive is cut off")
    texts: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        for member in tar:
            name = member.name.rpartition("/")[2]
            if name not in (CELL, FORCES, BORN, SETTINGS) or not member.isreg() or member.issparse():
                continue
            if name in texts:
                raise ValueError(f"{name} is there twice")
            file = tar.extractfile(member)
            texts[name] = file.read(MAX_UNPACKED).decode() if file else ""
    if missing := [name for name in (CELL, FORCES, SETTINGS) if name not in texts]:
        raise ValueError(f"no {' and no '.join(missing)}")
    return texts


def _phonons(texts: dict[str, str]) -> Phonopy:
    """Set phonopy up with the forces of an archive."""
    import phonopy
    from phonopy.file_IO import parse_BORN_from_strings, parse_FORCE_SETS_from_strings
    from phonopy.interface.vasp import read_vasp_from_strings

    settings = _settings(texts[SETTINGS])
    cell = read_vasp_from_strings(texts[CELL])
    check(np.array(cell.cell), np.array(cell.numbers), np.array(cell.scaled_positions))
    supercell = _matrix(settings["DIM"])
    if len(cell) * abs(np.linalg.det(supercell)) > MAX_SUPERCELL:
        raise ValueError(f"a supercell of more than {MAX_SUPERCELL} sites")
    axes = settings.get("PRIMITIVE_AXIS") or settings.get("PRIMITIVE_AXES")
    primitive: Any = _matrix(axes) if axes else "auto"
    phonons = phonopy.Phonopy(cell, supercell_matrix=supercell, primitive_matrix=primitive, log_level=0)
    if BORN in texts:
        try:
            born = parse_BORN_from_strings(texts[BORN], phonons.primitive)
        except Exception:  # some files have charges of other sites; such a crystal is taken without them
            born = None
        if born is not None:
            phonons.nac_params = {**born, "factor": born.get("factor") or COULOMB}
    phonons.dataset = parse_FORCE_SETS_from_strings(texts[FORCES])
    phonons.produce_force_constants()
    phonons.symmetrize_force_constants()
    return phonons


def _settings(text: str) -> dict[str, str]:
    """Read `KEY = value` lines; what follows a # is a comment."""
    pairs = (line.partition("#")[0].partition("=") for line in text.splitlines())
    return {key.strip().upper(): value.strip() for key, equals, value in pairs if equals}


def _matrix(text: str) -> np.ndarray:
    """Read nine numbers (or the three of a diagonal), which may be fractions such as 1/2."""
    parts = (word.partition("/") for word in text.split())
    numbers = [float(above) / float(below or 1) for above, _, below in parts]
    return np.diag(numbers) if len(numbers) == 3 else np.array(numbers).reshape(3, 3)


def _mesh(cell: np.ndarray, n_sites: int) -> list[int]:
    """Points along each reciprocal vector: odd, so that with the zone centre none lies on the zone boundary."""
    length = 30.0 if n_sites <= 12 else 21.0 if n_sites <= 30 else 15.0  # Å
    fewest = 5 if n_sites <= 24 else 3
    spacings = np.linalg.norm(np.linalg.inv(cell), axis=0)
    return [max(fewest, 1 + 2 * int(length * spacing / 2)) for spacing in spacings]


def properties_of(phonons: Phonopy) -> dict[str, float]:
    """Return the harmonic properties of phonons with force constants.

    Frequencies in THz, velocities in m/s, over a mesh of the zone; means over modes above `LOWEST`. `imag_share` is
    the share of modes below -`LOWEST`, `heat_capacity_kB` is per atom, `transport_integral` the sum of C v²/(3 V) over
    modes (W/m/K per second of lifetime: kappa if every mode lived one second), `velocity_mean` the rms velocity
    weighted with C, `p3_plus` a crude phase space of three-phonon scattering (`_phase_space`), `acoustic_max` the
    highest frequency of the third branch and `optical_min` the lowest of the fourth (NaN for one site).
    """
    primitive = phonons.primitive
    n_sites, volume = len(primitive), float(primitive.volume)
    phonons.run_mesh(_mesh(primitive.cell, n_sites), with_group_velocities=True, is_gamma_center=True)
    frequencies = np.asarray(phonons.mesh.frequencies)
    squares = (100.0 * np.asarray(phonons.mesh.group_velocities)) ** 2  # THz Å = 100 m/s
    points = np.asarray(phonons.mesh.weights, dtype=np.float64)
    weights = np.broadcast_to((points / points.sum())[:, None], frequencies.shape)
    real = frequencies > LOWEST
    heat = weights * _heat_capacity(np.where(real, frequencies, np.inf))
    transport = float((heat * squares.sum(axis=-1)).sum())  # k_B m²/s² a cell
    f, w = frequencies[real], weights[real] / weights[real].sum()
    branches = np.sort(frequencies, axis=1)
    longitudinal, transverse = _sound(phonons)
    return {
        "n_primitive": n_sites,
        "nac": float(phonons.nac_params is not None),
        "min_frequency": float(frequencies.min()),
        "max_frequency": float(frequencies.max()),
        "mean_frequency": float(w @ f),
        "mean_inverse_frequency": float(w @ (1 / f)),
        "mean_square_frequency": float(w @ f**2),
        "heat_capacity_kB": float(heat.sum()) / n_sites,
        "transport_integral": BOLTZMANN * transport / (3 * volume * 1e-30),
        "velocity_mean": float(np.sqrt(transport / heat.sum())),
        "sound_long": longitudinal,
        "sound_trans": transverse,
        "imag_share": float(weights[frequencies < -LOWEST].sum() / weights.sum()),
        "p3_plus": _phase_space(f, w),
        "acoustic_max": float(branches[:, 2].max()),
        "optical_min": float(branches[:, 3].min()) if n_sites > 1 else np.nan,
        "volume_atom": volume / n_sites,
    }


def _heat_capacity(frequencies: np.ndarray) -> np.ndarray:
    """Return the heat capacity of harmonic modes in k_B (Einstein); 0 for an infinite frequency."""
    half = np.minimum(PLANCK * 1e12 * frequencies / (2 * BOLTZMANN * TEMPERATURE), 300.0)
    return (half / np.sinh(half)) ** 2


def _phase_space(frequencies: np.ndarray, weights: np.ndarray) -> float:
    """Mean over modes of the density, per THz, of pairs of modes whose frequencies add up to that of the mode."""
    share, edges = np.histogram(frequencies, BINS, (0.0, max(float(frequencies.max()), 0.1)), weights=weights)
    return float(share @ np.convolve(share, share)[:BINS] / (edges[1] - edges[0]))


def _sound(phonons: Phonopy) -> tuple[float, float]:
    """Return the longitudinal and transverse velocity of sound in m/s, means over `DIRECTIONS`."""
    vectors = SMALL_Q * DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    phonons.run_qpoints(vectors @ phonons.primitive.cell.T)  # 1/Å -> parts of the reciprocal vectors
    slopes = 100.0 / SMALL_Q * np.sort(phonons.qpoints.frequencies, axis=1)[:, :3]
    return float(slopes[:, 2].mean()), float(slopes[:, :2].mean())
